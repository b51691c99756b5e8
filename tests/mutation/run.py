#!/usr/bin/env python3
"""How many wrong programs do the tests see? Called by ./run mutation [COUNT [SEED]].

Changes one operator, sign, constant or term of a kernel or a formula at a time (mutants.py says which),
compiles that file alone, links it before the other objects of a shared library and runs the tests with
it, those that killed a mutant of the same file before first. Works on a copy of the tree under the build
folder. What survives all tests is compiled again with AddressSanitizer and UBSan, as CI runs them.

Not counted: what does not compile, and what compiles to the same object code (another processor's branch,
for one). A mutant that changes no result by its nature is listed in equivalent.txt with the reason.
Exit status 1 if fewer than 90 % of the others are killed.
"""
import argparse
import collections
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import mutants
from program import Build

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-sanitize=vptr"]
FIRST = re.compile(r"Families/Opinfo|EveryOp")  # two seconds that see nearly everything
INLINE = re.compile(r"Math")  # tests of headers alone: the library is not in them
# What tests compile themselves: a mutant of the left that the library's tests miss is tried in the right.
IN_TESTS = {"kernels/math/": ["tests/kernels/test_math.cpp", "tests/kernels/test_math_more.cpp"],
            "kernels/math/erfinv.h": ["tests/kernels/test_random.cpp"]}


class Tests:
    """The test program: what each test takes, and who killed what before."""

    def __init__(self, build):
        self.build, self.killers, self.not_sanitized = build, collections.defaultdict(list), set()
        self.program = build.out / "gradus_tests"
        times = build.out / "times.json"
        if not times.exists() or times.stat().st_mtime < self.program.stat().st_mtime:
            self.measure(times)
        self.seconds = json.loads(times.read_text())

    def measure(self, file):
        """Seconds of processor time of each test that takes part, into `file`."""
        (self.build.work).mkdir(parents=True, exist_ok=True)
        raw, used = self.build.work / "times.json", lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        library, before = self.build.link({}), used()
        if self.run(["*"], library, 3600, [f"--gtest_output=json:{raw}"]) is not None:
            sys.exit("the tests fail without a mutant")
        took = {f"{s['name']}.{t['name']}": float(t["time"].rstrip("s"))
                for s in json.loads(raw.read_text())["testsuites"] for t in s["testsuite"]}
        share = (used() - before) / max(1e-3, sum(took.values()))  # of the time, on a machine with other work
        file.write_text(json.dumps({name: t * share for name, t in took.items()}, indent=0))

    def run(self, names, library, seconds, options=(), preload=""):
        """None if the tests pass, else the one that ended the program, or "time"."""
        def limits():
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if not preload:
                resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        environment = dict(os.environ, LD_PRELOAD=f"{preload} {library}".strip(), MALLOC_PERTURB_="165",
                           ASAN_OPTIONS="detect_leaks=0:alloc_dealloc_mismatch=0", GTEST_FILTER=":".join(names))
        command = [self.program, "--gtest_break_on_failure", *options]
        try:
            done = subprocess.run(command, cwd=self.build.work, env=environment, preexec_fn=limits,
                                  capture_output=True, text=True, errors="replace", timeout=20 * seconds + 60)
        except subprocess.TimeoutExpired:
            return "time"
        if done.returncode == 0:
            return None
        if done.returncode in (-24, -9):  # SIGXCPU, SIGKILL
            return "time"
        ran = re.findall(r"\[ RUN      \] (\S+)", done.stdout)
        return ran[-1] if ran else "start"

    def judge(self, path, library, preload=""):
        """Who kills this library, or None."""
        known, words = self.killers[path], re.split(r"[/_.]", path.removesuffix("s.cpp"))[1:]
        near = [t for t in self.seconds if FIRST.match(t) or any(len(w) > 3 and w in t.lower() for w in words)]
        stages = [known[:3], near] + ([] if preload else [list(self.seconds)])
        tried = set()
        for stage in stages:
            names = [t for t in stage if t not in tried and not INLINE.match(t)
                     and not (preload and t in self.not_sanitized)]
            tried.update(names)
            seconds = 5 + (12 if preload else 4) * sum(self.seconds[t] for t in names)
            killer = self.run(names, library, seconds, (), preload) if names else None
            if killer:
                if killer in self.seconds:
                    known[:] = [killer] + [t for t in known if t != killer]
                return killer
        return None


def verdict(mutant, build, tests, sanitized):
    """("killed" | "timed out" | "survived" | "no program" | "same code", by whom)."""
    shutil.rmtree(build.work / "include", ignore_errors=True)
    text = mutant.applied((build.tree / mutant.path).read_text())
    sources = [mutant.path]
    if mutant.path.endswith(".h"):
        sources = build.users(mutant.path)
    changed = {s: build.compile(s, mutant, text) for s in sources}
    if None in changed.values() or not changed:
        return "no program", ""
    if all(o.read_bytes() == build.objects[s].read_bytes() for s, o in changed.items()):
        return "same code", ""
    killer = tests.judge(mutant.path, build.link(changed))
    if killer is None:
        killer = by_inline_tests(mutant, text, build)
    if killer is None and sanitized:
        killer = by_sanitizers(mutant, text, sources, build, tests)
    return ("survived" if killer is None else "timed out" if killer == "time" else "killed"), killer or ""


def by_sanitizers(mutant, text, sources, build, tests):
    """Who kills the mutant when its objects are compiled with AddressSanitizer and UBSan, or None."""
    asan = subprocess.run([build.compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True).stdout

    def library(with_mutant):
        changed = {s: build.compile(s, mutant if with_mutant else None, text, SANITIZE) for s in sources}
        changed["tensor/allocator.cpp"] = build.compile("tensor/allocator.cpp", flags=SANITIZE)  # no free lists
        return build.link(changed, SANITIZE)

    while True:
        killer = tests.judge(mutant.path, library(True), asan.strip())
        if killer not in tests.seconds or tests.run([killer], library(False), 600, (), asan.strip()) is None:
            break
        tests.not_sanitized.add(killer)  # one that needs the allocator's free lists fails without a mutant, too
    return killer


def by_inline_tests(mutant, text, build):
    """The test source that, compiled with the mutant in its header, fails by itself; or None."""
    for source in [s for folder, own in IN_TESTS.items() if mutant.path.startswith(folder) for s in own]:
        program, library = build.work / "alone", build.link({})
        subprocess.run([build.compiler(), "-o", program, build.compile(source, mutant, text), library,
                        "-lgtest_main", "-lgtest", "-lpthread"], check=True)
        environment = dict(os.environ, LD_PRELOAD=str(library))
        if subprocess.run([program, "--gtest_break_on_failure"], capture_output=True, env=environment,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (100, 101))).returncode:
            return source
    return None


def equivalents():
    """{(path, line before, line after)} of tests/mutation/equivalent.txt."""
    text = (ROOT / "tests/mutation/equivalent.txt").read_text()
    return {(m[1], m[2].strip(), m[3].strip())
            for m in re.finditer(r"^(\S+\.(?:cpp|h))\n- (.*)\n\+ (.*)\n  \S", text, re.M)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=300)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--build", type=Path, default=ROOT / "build/mutation")
    parser.add_argument("--as-built", action="store_true", help="neither copy the tree nor build it")
    parser.add_argument("--known", action="store_true", help="ask again about survivors of the last run alone")
    parser.add_argument("--plain", action="store_true", help="no sanitizers for what survives")
    o = parser.parse_args()
    build = Build(o.build, not o.as_built)
    tests = Tests(build)
    record = o.build / f"verdicts_{o.seed}.json"
    known = json.loads(record.read_text()) if o.known and record.exists() else {}
    order = mutants.all_mutants(build.tree)
    random.Random(o.seed).shuffle(order)
    listed, table, counted = equivalents(), collections.defaultdict(collections.Counter), 0
    print(f"{len(order)} mutants, {o.count} are drawn with seed {o.seed}", flush=True)
    for mutant in order:
        if counted == o.count:
            break
        start = time.monotonic()
        what, by = known.get(str(mutant), ("", ""))
        is_listed = (mutant.path, mutant.old.strip(), mutant.new.strip()) in listed
        if not what or (what == "survived" and not is_listed):
            what, by = verdict(mutant, build, tests, not o.plain)
            known[str(mutant)] = what, by
            record.write_text(json.dumps(known, indent=0))
        if what == "survived" and is_listed:
            what = "equivalent"
        counted += what not in ("no program", "same code")
        table[mutant.family][what] += 1
        if what == "survived":
            print(f"\nsurvived: {mutant}", flush=True)
        elif sys.stderr.isatty() or "MUTATION_VERBOSE" in os.environ:
            took = time.monotonic() - start
            print(f"{counted:4} {took:5.1f} s {what} {by} {mutant.path}:{mutant.line}", file=sys.stderr, flush=True)
    columns = ["killed", "timed out", "survived", "equivalent", "same code", "no program"]
    print(f"\n{'':14}" + "".join(f"{c:>12}" for c in columns))
    total = sum(table.values(), collections.Counter())
    for family, row in [*sorted(table.items()), ("all", total)]:
        print(f"{family:14}" + "".join(f"{row[c]:12}" for c in columns))
    killed = total["killed"] + total["timed out"]
    share = 100 * killed / max(1, killed + total["survived"])
    print(f"\n{killed} of {killed + total['survived']} killed: {share:.1f} %")
    sys.exit(share < 90)


if __name__ == "__main__":
    main()
