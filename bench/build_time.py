#!/usr/bin/env python3
"""How long a build takes: library, command line and tests from nothing without a compiler cache, the slowest
files, and a program that includes gradus.h alone, with and without a precompiled one. Takes minutes.

  bench/build_time.py [--jobs N] [--json FILE]
"""
import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def seconds(*command, env=None):
    begin = time.perf_counter()
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    env = {**os.environ, "CCACHE_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as name:
        build = Path(name) / "build"
        subprocess.run(["cmake", "-S", ROOT, "--preset", "release", "-B", build], check=True,
                       stdout=subprocess.DEVNULL, env=env)
        result = {"jobs": a.jobs, "build_s": seconds("ninja", "-C", build, "-j", a.jobs, env=env)}
        files = []
        for row in (build / ".ninja_log").read_text().splitlines()[1:]:
            begin, end, _, output, _ = row.split("\t")
            if output.endswith(".o"):
                files.append([(int(end) - int(begin)) / 1e3, output.split(".dir/")[-1].removesuffix(".o")])
        result["slowest_s"] = sorted(files, reverse=True)[:10]
        result["files"] = len(files)
        program = Path(name) / "all.cpp"
        program.write_text("#include <gradus/gradus.h>\n")
        include = ["g++", "-std=c++20", "-fsyntax-only", f"-I{build / 'include'}", program]
        result["include_s"] = min(seconds(*include, env=env) for _ in range(3))
        header = Path(name) / "gradus.h"
        header.write_text(program.read_text())
        subprocess.run([*include[:2], include[3], "-x", "c++-header", header, "-o", f"{header}.gch"], check=True)
        include += ["-Winvalid-pch", "-Werror", "-include", header]
        result["include_precompiled_s"] = min(seconds(*include, env=env) for _ in range(3))
    print(f"full build with {a.jobs} jobs: {result['build_s']:.0f} s, {len(files)} files")
    for taken, file in result["slowest_s"]:
        print(f"{taken:8.1f} s  {file}")
    print(f"#include <gradus/gradus.h>: {result['include_s']:.2f} s, "
          f"precompiled {result['include_precompiled_s']:.2f} s")
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
