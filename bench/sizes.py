#!/usr/bin/env python3
"""How large things are: the stripped command line, and a static program on the library alone (the `embedded`
preset, which this builds) above the same compiler's empty static program. Prints a table, writes JSON.

  bench/sizes.py --gradus build/release/gradus [--jobs N] [--json FILE]
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command):
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def stripped(binary, work):
    copy = work / "stripped"
    shutil.copy(binary, copy)
    run("strip", copy)
    return copy.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gradus", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    run("cmake", "--preset", "embedded")
    run("cmake", "--build", "--preset", "embedded", "-j", a.jobs)
    build = ROOT / "build" / "embedded"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "empty.cpp").write_text("int main() {}\n")
        link = ["g++", "-std=c++20", "-Os", "-static", "-Wl,--gc-sections", f"-I{build / 'include'}"]
        run(*link, work / "empty.cpp", "-o", work / "empty")
        run(*link, ROOT / "bench" / "sizes" / "mlp.cpp", build / "libgradus.a", "-o", work / "mlp")
        trained = json.loads(run(work / "mlp"))
        empty, mlp = stripped(work / "empty", work), stripped(work / "mlp", work)
        sizes = {"`gradus`, stripped": stripped(a.gradus, work),
                 "static MLP training program, stripped": mlp,
                 "the same above an empty static program": mlp - empty,
                 "memory block of that program (MLP 784-32-10, batch 32, SGD)": trained["block_bytes"]}
    for what, value in sizes.items():
        print(f"{what:<64}{value:>12,}")
    if a.json:
        a.json.write_text(json.dumps({"bytes": sizes, "compiler": run("g++", "--version").splitlines()[0]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
