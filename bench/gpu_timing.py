"""How gpu_rows.py, gpu_epilogue.py and gpu_models.py time a step, as gpu_timing.h does. --small and
--cpu are for trying the scripts without a GPU: their times mean nothing.
"""
import argparse
import gc
import json
import statistics
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--small", action="store_true")
parser.add_argument("--cpu", action="store_true")
parser.add_argument("--no-compile", action="store_true", help="leave torch.compile's columns out")
parser.add_argument("--seconds", type=float, default=1e9, help="begin no row after this long")
options = parser.parse_args()
DEVICE = "cpu" if options.cpu else "cuda"
BLOCK_US = 20 if options.small else 20e3
started = time.monotonic()


def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def microseconds(step):
    """The median of seven blocks of at least 20 ms, in microseconds a step; a block ends with a wait."""
    def block(n):
        begin = time.perf_counter()
        for _ in range(n):
            step()
        wait()
        return (time.perf_counter() - begin) * 1e6

    for _ in range(3):
        step()
    wait()
    n = 1
    while n < 10000 and block(n) < BLOCK_US:
        n *= 2
    return statistics.median(block(n) / n for _ in range(7))


def host_microseconds(step):
    """What the host does for a step while the device is behind."""
    times = []
    for _ in range(7):
        wait()
        begin = time.perf_counter()
        for _ in range(20):
            step()
        times.append((time.perf_counter() - begin) * 1e6 / 20)
    wait()
    return statistics.median(times)


def report(row, side, make, more=lambda step, us: {}):
    """make() -> step. One row that this version or machine refuses is no reason to lose the rest."""
    if time.monotonic() - started > options.seconds:
        result = {"error": "not run: no time left"}
    else:
        try:
            step = make()
            us = microseconds(step)
            result = {"us": round(us, 2), **more(step, us)}
        except Exception as error:
            result = {"error": (str(error).splitlines() or [type(error).__name__])[0][:200]}
    print(json.dumps({"row": row, "side": side, "torch": torch.__version__, **result}), flush=True)
    step = None
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
