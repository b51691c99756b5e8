#!/usr/bin/env python3
"""The same work here and elsewhere, in turn (A B A B ...) within one run: prints a table, writes JSON.

Every row: each side makes the work from the same numbers and the results are compared with each other and
with f64 first; then `--repeats` turns of a block of iterations a side, after warm-up. A ratio is the median of
the turns' ratios, the spread their 10th and 90th percentile; above 1 we are faster. The JSON file is written
after each row, so that an interrupted run keeps what it has; `--resume` measures what the file lacks.
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from sides import Failure, Side, environment, machine
from workloads import NO_REFERENCE, WORKLOADS, flops, is_product, moved_bytes, title, tolerance

HERE = Path(__file__).resolve().parent


def human(us):
    if us < 1:
        return f"{us * 1e3:.3g} ns"
    return f"{us:.3g} us" if us < 1e3 else f"{us / 1e3:.3g} ms" if us < 1e6 else f"{us / 1e6:.3g} s"


def percentiles(values):
    ordered = sorted(values)
    return [ordered[round(q * (len(ordered) - 1))] for q in (0.1, 0.5, 0.9)]


def distance(values, reference):
    """The largest difference relative to the largest number."""
    if len(values) != len(reference):
        return float("inf")
    scale = max(max(abs(r) for r in reference), 1e-30)
    worst = 0.0
    for v, r in zip(values, reference):
        if not abs(v - r) <= worst * scale:  # a NaN is never close
            worst = abs(v - r) / scale if v == v else float("inf")
    return worst


def block_of(side, workload, target_us):
    """Iterations that take about `target_us`; measuring them warms up."""
    count = 1
    while True:
        us = side.ask(f"time {workload} {count}")["us"]
        if us * count >= target_us / 4 or count >= 1 << 22:
            return max(1, min(1 << 22, round(target_us / max(us, 1e-4))))
        count *= 4


def compared(workload, sides):
    """Each side's distance from f64 (or from the first other side); sides that fail the work drop out."""
    values, errors = {}, {}
    for side in sides:
        try:
            values[side.name] = side.ask(f"values {workload}")
        except Failure as failure:
            errors[side.name] = str(failure)
    reference, what = None, "none"
    for side in sides[1:]:
        if side.name in values and workload not in NO_REFERENCE:
            try:
                reference, what = side.ask(f"values {workload} f64")["values"], "f64"
                break
            except Failure:
                continue
    if reference is None and len(values) > 1:
        what = next(n for n in values if n != sides[0].name)
        reference = values[what]["values"]
    off = {n: distance(v["values"], reference) for n, v in values.items()} if reference else {}
    settings = {n: v["setting"] for n, v in values.items() if v.get("setting")}
    return off, what, settings, errors


def measured(workload, sides, repeats, target_us):
    """One row: times and ratios of every side that can do the work."""
    off, reference, settings, errors = compared(workload, sides)
    row = {"workload": workload, "reference": reference, "distance": off, "settings": settings, "opponents": []}
    if sides[0].name in errors:
        raise Failure(errors[sides[0].name])
    if off.get(sides[0].name, 0.0) > tolerance(workload):
        raise Failure(f"our result is {off[sides[0].name]:.1e} off ({reference}), allowed {tolerance(workload):.0e}")
    able = [s for s in sides if s.name not in errors]
    blocks = {}
    for side in list(able):
        try:
            blocks[side.name] = block_of(side, workload, target_us)
        except Failure as failure:
            errors[side.name] = str(failure)
            able.remove(side)
    times = {s.name: [] for s in able}
    for turn in range(repeats + 1):
        for side in able:
            us = side.ask(f"time {workload} {blocks[side.name]}")["us"]
            if turn > 0:  # the first is warm-up
                times[side.name].append(us)
            time.sleep(0.002)  # the other pool's threads stop spinning
    ours = times[sides[0].name]
    low, row["us"], high = percentiles(ours)
    row.update(spread_us=[low, high], best_us=min(ours), repeats=len(ours), block=blocks[sides[0].name])
    for side in able[1:]:
        ratios = percentiles([t / o for o, t in zip(ours, times[side.name])])
        row["opponents"].append({"name": side.name, "us": statistics.median(times[side.name]),
                                 "best_us": min(times[side.name]), "ratio": ratios[1],
                                 "spread": [ratios[0], ratios[2]], "block": blocks[side.name]})
    row["missing"] = {n: e for n, e in errors.items()}
    return row


def ceilings(ours, repeats):
    """What multipliers and memory of this machine can do, from this run."""
    best = {}
    for name in ("ceiling_fma", "ceiling_copy"):
        best[name] = min(ours.ask(f"time {name} 1")["us"] for _ in range(max(5, repeats)))
    ours.ask("free")
    return {"gflops": ours.about["fma_flops"] / best["ceiling_fma"] * 1e-3,
            "copy_gb_s": 2 * 4 * 2**26 / best["ceiling_copy"] * 1e-3}


def process_row(name, command, what, runs, threads):
    """Milliseconds from the start of a process to its end, and its peak memory. Nothing of Python's own work
    for a child is among them: that took as long as our process."""
    times, memory, env = [], 0.0, environment(threads)
    for _ in range(runs):
        reader, writer = os.pipe()
        with open(reader, "rb") as out:
            begin = time.perf_counter()
            child = os.posix_spawn(command[0], [*command, what], env, file_actions=[
                (os.POSIX_SPAWN_DUP2, writer, 1)])
            os.close(writer)
            _, status = os.waitpid(child, 0)
            times.append((time.perf_counter() - begin) * 1e3)
            if status != 0:
                raise OSError(f"{command[0]} ended with status {os.waitstatus_to_exitcode(status)}")
            memory = max(memory, json.loads(out.read().splitlines()[-1])["megabytes"])
    low, middle, high = percentiles(times)
    return {"name": name, "what": what, "ms": middle, "spread_ms": [low, high], "best_ms": min(times), "runs": runs,
            "megabytes": memory}


def line_of(row, ceiling):
    text = f"{title(row['workload']):<50}{human(row['us']):>9}"
    for o in row["opponents"]:
        text += f"   {o['name']} {human(o['us'])} = {o['ratio']:.2f}x ({o['spread'][0]:.2f}..{o['spread'][1]:.2f})"
    if "gflops" in row:
        text += f"   {row['gflops']:.0f} GFLOP/s, {100 * row['gflops'] / ceiling['gflops']:.0f} % of peak"
    if "gb_s" in row:
        text += f"   {row['gb_s']:.1f} GB/s, {100 * row['gb_s'] / ceiling['copy_gb_s']:.0f} % of copy"
    return text


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, help="gradus_bench_side_by_side")
    parser.add_argument("--torch", action="append", default=[], metavar="PYTHON", help="a Python that has torch")
    parser.add_argument("--compiled", action="store_true", help="the first PyTorch through torch.compile as well")
    parser.add_argument("--blas", action="append", default=[], metavar="LIBRARY", help="a BLAS or oneDNN, for products")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these rows, by name or its beginning")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--block-ms", type=float, default=10, help="about the time of one turn")
    parser.add_argument("--quick", action="store_true", help="5 turns of 3 ms: does everything run?")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--resume", action="store_true",
                        help="keep the file's rows of the same machine and programs; measure what it lacks")
    a = parser.parse_args()
    if a.quick:
        a.repeats, a.block_ms = 5, 3
    return a


def opponents_of(a):
    commands = [[python, str(HERE / "torch_side.py"), str(a.threads)] for python in a.torch]
    if a.compiled and a.torch:
        commands.append([*commands[0], "--compiled"])
    commands += [[str(Path(a.ours).parent / "gradus_bench_blas_side"), library, str(a.threads)] for library in a.blas]
    sides = []
    for command in commands:
        try:
            sides.append(Side(command, a.threads))
        except (Failure, OSError, json.JSONDecodeError) as failure:
            print(f"left out: {' '.join(command)}: {failure}", file=sys.stderr)
    return sides


def kept_from(path, result):
    """What an earlier run of the same programs on the same machine left in the file: rows and processes."""
    if not path or not Path(path).exists():
        return
    old = json.loads(Path(path).read_text())
    passing = ("load_at_start", "clock_mhz")
    machines = [{k: v for k, v in r["machine"].items() if k not in passing} for r in (old, result)]
    if machines[0] != machines[1] or any(old[k] != result[k] for k in ("threads", "ours", "theirs")):
        print(f"{path} is from another machine, day or program: measured anew", file=sys.stderr)
        return
    result["rows"], result["processes"] = old["rows"], old["processes"]
    result["ceiling"].update({k: max(v, result["ceiling"][k]) for k, v in old["ceiling"].items()})


def main():
    a = arguments()
    ours = Side([a.ours, str(a.threads)], a.threads)
    sides = [ours, *opponents_of(a)]
    result = {"machine": machine(), "threads": a.threads, "ours": ours.about,
              "theirs": [s.about for s in sides[1:]], "repeats": a.repeats, "rows": [], "failed": {}, "processes": []}
    result["ceiling"] = ceiling = ceilings(ours, a.repeats)
    if a.resume:
        kept_from(a.json, result)

    def keep():
        if a.json:
            Path(a.json).write_text(json.dumps(result, indent=1) + "\n")

    print(f"{result['machine']['processor']}, {a.threads} threads: {ceiling['gflops']:.0f} GFLOP/s, copies "
          f"{ceiling['copy_gb_s']:.1f} GB/s; median of {a.repeats} turns (10..90 %)", flush=True)
    there = {r["workload"] for r in result["rows"]}
    chosen = [w for w in WORKLOADS if w not in there and (not a.only or any(w.startswith(o) for o in a.only))]
    for workload in chosen:
        try:
            row = measured(workload, [s for s in sides if is_product(workload) or "blas_side" not in s.command[0]],
                           a.repeats, a.block_ms * 1e3)
            if flops(workload):
                row["gflops"] = flops(workload) / row["us"] * 1e-3
            if moved_bytes(workload):
                row["gb_s"] = moved_bytes(workload) / row["us"] * 1e-3
            result["rows"] = sorted([*result["rows"], row], key=lambda r: WORKLOADS.index(r["workload"]))
            print(line_of(row, ceiling), flush=True)
        except Failure as failure:
            result["failed"][workload] = str(failure)
            print(f"{title(workload):<50} failed: {failure}", flush=True)
        for side in sides:
            try:
                side.ask("free")
            except Failure:
                pass
        keep()
    for side in sides:
        side.end()
    for what in ("start", "train") if not a.only or "process" in a.only else ():
        commands = [("Gradus", [a.ours, "--process"])] + [
            (s.name, [p, str(HERE / "torch_process.py")]) for s, p in zip(sides[1:], a.torch)]
        for name, command in commands:
            if any(p["name"] == name and p["what"] == what for p in result["processes"]):
                continue
            try:
                runs = 30 if name == "Gradus" else 7
                entry = process_row(name, command, what, min(runs, a.repeats), a.threads)
                result["processes"].append(entry)
                print(f"process, {what}: {name} {entry['ms']:.1f} ms, {entry['megabytes']:.1f} MB", flush=True)
            except (OSError, json.JSONDecodeError, IndexError) as failure:
                result["failed"][f"process {what} {name}"] = str(failure)[:200]
        keep()
    sys.exit(1 if result["failed"] else 0)


if __name__ == "__main__":
    main()
