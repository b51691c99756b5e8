"""A program that answers compare.py, and what is known of the machine."""
import datetime
import json
import os
import platform
import select
import signal
import subprocess
from pathlib import Path


class Failure(Exception):
    """A side could not do what it was asked to."""


def environment(threads):
    """Best settings for others: no forced OpenBLAS kernels, AVX-512 where the processor has it."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    env["OMP_NUM_THREADS"] = env["OPENBLAS_NUM_THREADS"] = env["MKL_NUM_THREADS"] = str(threads)
    if "avx512f" in Path("/proc/cpuinfo").read_text():
        env["ATEN_CPU_CAPABILITY"] = "avx512"
    return env


class Side:
    """One program; started again when a row has ended it. It stands still while others are asked: threads
    of OpenMP and OpenBLAS go on spinning for up to 20 ms after their work and would take a core from whoever
    comes next."""

    def __init__(self, command, threads):
        self.command, self.env, self.process = command, environment(threads), None
        self.about = self.start()
        self.name = self.about["name"]

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=self.env)
        self.rest = b""
        about = self.read(120)
        if "error" in about:
            raise Failure(about["error"])
        self.process.send_signal(signal.SIGSTOP)
        return about

    def read(self, limit):
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], limit)[0]:
                self.end()
                raise Failure(f"no answer within {limit} s")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                status = self.process.wait()
                self.end()
                raise Failure(f"ended with status {status}")
            self.rest += piece
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def ask(self, line, limit=240):
        if self.process is None:
            self.start()
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.read(limit)
        self.process.send_signal(signal.SIGSTOP)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def first_line(path, key):
    for row in Path(path).read_text().splitlines():
        if row.startswith(key):
            return row.split(":", 1)[1].strip()
    return "unknown"


def machine():
    """What a reader needs to judge numbers; what the system does not tell is left out."""
    about = {"processor": first_line("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
             "memory_gib": round(int(first_line("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
             "system": platform.platform(), "date": datetime.date.today().isoformat(),
             "load_at_start": os.getloadavg()[0]}
    flags = first_line("/proc/cpuinfo", "flags").split()
    about["isa"] = next((isa for isa in ("avx512f", "avx2") if isa in flags), "baseline")
    clock = first_line("/proc/cpuinfo", "cpu MHz")
    if clock != "unknown":
        about["clock_mhz"] = float(clock)
    for name, path in (("governor", "scaling_governor"), ("highest_khz", "scaling_max_freq")):
        file = Path("/sys/devices/system/cpu/cpu0/cpufreq") / path
        if file.exists():
            about[name] = file.read_text().strip()
    for level in range(4):
        cache = Path(f"/sys/devices/system/cpu/cpu0/cache/index{level}")
        if (cache / "size").exists() and (cache / "type").read_text().strip() != "Instruction":
            about[f"l{(cache / 'level').read_text().strip()}"] = (cache / "size").read_text().strip()
    return about
