#!/usr/bin/env python3
"""The same work here and in PyTorch, in turn (A B A B ...) within one run: prints a table, writes JSON.

  bench/side_by_side/compare.py --ours build/release/gradus_bench_side_by_side [--torch PYTHON ...] [--only NAME ...]

Each PYTHON is an interpreter that can import torch; every workload runs in `--rounds` turns of
`--seconds` a side, and a ratio is the median of the rounds' ratios. A ratio above 1 says that we are faster.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SGEMM = ["64x64x64", "128x128x128", "256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048",
         "64x128x784", "64x10x128", "1024x3072x768", "128x2304x768"]
WORKLOADS = ["add_8x8", "node_8x8", "mlp_b1_sgd", "mlp_b1_adamw", "mlp_b64_sgd", "mlp_b64_adamw",
             "mlp_b256_adamw", "cnn_b64", "fashion_b128", "gpt_small", "gpt_medium", "epilogue_32m",
             ] + ["sgemm_" + s for s in SGEMM]
TITLES = {
    "add_8x8": "add of 8x8", "node_8x8": "one node, forward + backward (tanh of 8x8)",
    "mlp_b1_sgd": "MLP 784-32-10, batch 1, SGD", "mlp_b1_adamw": "the same, AdamW + clip + EMA",
    "mlp_b64_sgd": "MLP 784-128-10, batch 64, SGD", "mlp_b64_adamw": "the same, AdamW + clip + EMA",
    "mlp_b256_adamw": "MLP 784-512-10, batch 256, AdamW + clip + EMA",
    "cnn_b64": "CNN 16c5-p-32c5-p-fc, batch 64", "fashion_b128": "Fashion-MNIST CNN, batch 128, AdamW + clip",
    "gpt_small": "GPT 4 layers, C 128, T 64, B 12, AdamW + clip",
    "gpt_medium": "GPT 6 layers, C 384, T 256, B 8, AdamW + clip",
    "epilogue_32m": "AdamW + clip + EMA, 32 M parameters",
}


class Side:
    """One program that times workloads when asked."""

    def __init__(self, command, threads):
        environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        environment["OMP_NUM_THREADS"] = str(threads)
        self.process = subprocess.Popen([*command, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)
        self.about = json.loads(self.process.stdout.readline())

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended while it ran {line!r}")
        return json.loads(answer)

    def microseconds(self, workload, seconds):
        return self.ask(f"{workload} {seconds}")["us"]

    def peak_megabytes(self):
        for row in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if row.startswith("VmHWM"):
                return int(row.split()[1]) / 1024
        return 0.0


def start_up(command, runs=7):
    """From the start of a process to its first backward done, and its peak memory."""
    times, memory = [], 0.0
    for _ in range(runs):
        begin = time.perf_counter()
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        times.append((time.perf_counter() - begin) * 1e3)
        memory = json.loads(out.splitlines()[-1])["megabytes"]
    return statistics.median(times), memory


def human(us):
    return f"{us:.3g} us" if us < 1e3 else f"{us / 1e3:.3g} ms" if us < 1e6 else f"{us / 1e6:.3g} s"


def machine():
    model = "unknown"
    for row in Path("/proc/cpuinfo").read_text().splitlines():
        if row.startswith("model name"):
            model = row.split(":", 1)[1].strip()
            break
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform(), "date":
            datetime.date.today().isoformat()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--torch", action="append", default=[])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--json")
    a = parser.parse_args()
    ours = Side([a.ours], a.threads)
    theirs = [Side([python, str(HERE / "torch_side.py")], a.threads) for python in a.torch]
    result = {"machine": machine(), "threads": a.threads, "ours": ours.about, "theirs": [t.about for t in theirs],
              "rows": []}
    names = ["torch " + t.about["version"] for t in theirs]
    print(f"{result['machine']['processor']}, {a.threads} threads; median of {a.rounds} alternating rounds")
    print(f"{'work':<48}{'gradus':>10}" + "".join(f"{n:>22}{'ratio':>8}{'(min..max)':>14}" for n in names))
    for workload in a.only or WORKLOADS:
        rounds = []
        for _ in range(a.rounds):
            rounds.append([side.microseconds(workload, a.seconds) for side in (ours, *theirs)])
        for side in (ours, *theirs):
            side.ask("free 0")
        columns = list(zip(*rounds))
        row = {"workload": workload, "us": statistics.median(columns[0]), "opponents": []}
        title = TITLES.get(workload, workload.replace("_", " "))
        text = f"{title:<48}{human(row['us']):>10}"
        for k, name in enumerate(names):
            ratios = [t / o for o, t in zip(columns[0], columns[k + 1])]
            entry = {"name": name, "us": statistics.median(columns[k + 1]), "ratio": statistics.median(ratios),
                     "spread": [min(ratios), max(ratios)]}
            row["opponents"].append(entry)
            text += f"{human(entry['us']):>22}{entry['ratio']:>8.2f}{min(ratios):>7.2f}..{max(ratios):.2f}"
        if workload.startswith("sgemm_"):
            m, n, k = (int(s) for s in workload[6:].split("x"))
            row["gflops"] = 2e-3 * m * n * k / row["us"]
            text += f"   {row['gflops']:.0f} GFLOP/s"
        result["rows"].append(row)
        print(text, flush=True)
    if not a.only:
        result["start_up"] = [dict(zip(("ms", "megabytes"), start_up([a.ours, "--start-up"])))]
        for python in a.torch:
            result["start_up"].append(dict(zip(("ms", "megabytes"), start_up([python, str(HERE / "torch_start.py")]))))
        for name, entry in zip(["gradus", *names], result["start_up"]):
            print(f"start to first backward, {name}: {entry['ms']:.1f} ms, {entry['megabytes']:.1f} MB")
    if a.json:
        Path(a.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
