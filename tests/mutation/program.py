"""The unchanged program of a mutation check, and how one object of it is made anew."""
import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["tensor", "kernels", "autograd", "nn", "optim", "tests"]
SUITES = "tests/(cases|oracle|autograd|kernels|nn|optim)/|tensor/test_(allocations|random)"
LINKER = ["-fuse-ld=lld"] if shutil.which("ld.lld") else []  # a third of a second

# Headers that nearly all objects see, and those that make the program's functions of them.
MADE_BY = {"kernels/ops/activation.h": "unary_activation", "kernels/ops/arithmetic.h": "unary_arithmetic",
           "kernels/ops/transcendental.h": "unary_(exponential|trigonometric)", "kernels/ops/binary.h": "binary",
           "kernels/ops/compare.h": "compare", "kernels/math/": "unary_|binary|random"}


def copy_of_the_tree(to):
    """Brings `to` to the state of the files that git knows; unchanged ones keep their times."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, to / name
        if not source.is_file() or (target.exists() and target.read_bytes() == source.read_bytes()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


class Build:
    """The unchanged program, and how one object of it is made anew."""

    def __init__(self, folder, make=True):
        folder = folder.resolve()
        self.tree, self.out, self.work = folder / "tree", folder / "out", folder / "mutant"
        if not make:
            self.tree, self.out = self.tree.resolve(), self.out.resolve()
        else:
            copy_of_the_tree(self.tree)
            self.configure()
        database = json.loads((self.out / "compile_commands.json").read_text())
        self.commands = {Path(e["file"]).relative_to(self.tree).as_posix(): shlex.split(e["command"])
                         for e in database if Path(e["file"]).is_relative_to(self.tree)}
        self.commands = {s: c for s, c in self.commands.items() if s.split("/")[0] in FOLDERS}
        self.objects = {name: self.out / c[c.index("-o") + 1] for name, c in self.commands.items()}
        self.seen_by = collections.defaultdict(list)
        source_of = {str(o.relative_to(self.out)): name for name, o in self.objects.items()}
        deps = subprocess.run(["ninja", "-t", "deps"], cwd=self.out, capture_output=True, text=True).stdout
        for line in deps.splitlines():
            if line.startswith(" "):
                header = line.strip().split("/gradus/")[-1]
                if source and header.endswith(".h"):
                    self.seen_by[header].append(source)
            else:
                source = source_of.get(line.split(":")[0])
        shutil.rmtree(self.work, ignore_errors=True)

    def configure(self):
        self.out.mkdir(parents=True, exist_ok=True)
        for command in (["cmake", "-S", str(self.tree), "-B", str(self.out), "-G", "Ninja",
                         "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DGRADUS_NATIVE=OFF",
                         "-DGRADUS_TRAINER=OFF", "-DBUILD_SHARED_LIBS=ON", "-DGRADUS_INSTALL=OFF",
                         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", f"-DGRADUS_TEST_SOURCES={SUITES}"],
                        ["ninja", "-C", str(self.out), "gradus_tests"]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stdout[-4000:] + done.stderr[-4000:] + "\nthe tree does not build")

    def compile(self, source, mutant=None, text="", flags=()):
        """The object of `source` with the mutant in place, or None if that is no program."""
        command = list(self.commands[source])
        if source.startswith("tests/"):  # their precompiled header holds the unchanged ones
            del command[command.index("-include"):command.index("-include") + 2]
        target = self.work / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if mutant and mutant.path == source:
            target.write_text(text)
            command[-1] = str(target)
        elif mutant:
            header = self.work / "include/gradus" / mutant.path
            header.parent.mkdir(parents=True, exist_ok=True)
            header.write_text(text)
            command.insert(1, f"-I{self.work}/include")
        command[command.index("-o") + 1] = f"{target}.o"
        done = subprocess.run([*command, "-w", *flags], cwd=self.out, capture_output=True)
        return Path(f"{target}.o") if done.returncode == 0 else None

    def link(self, changed, flags=()):
        """A library of the changed objects, which come first: the functions of headers are theirs."""
        library = self.work / "libgradus.so"
        rest = [o for name, o in self.objects.items() if not name.startswith("tests/") and name not in changed]
        revision = self.out / "CMakeFiles/gradus.dir/generated/revision.cpp.o"
        name = os.readlink(self.out / "libgradus.so")
        subprocess.run([self.compiler(), "-shared", "-o", library, *LINKER, *flags, f"-Wl,-soname,{name}",
                        "-Wl,-Bsymbolic-functions", *changed.values(), *rest, revision, "-lpthread"], check=True)
        return library

    def compiler(self):
        return self.commands["kernels/conv.cpp"][0]

    def users(self, header):
        """The sources of the library that are compiled anew for a changed header."""
        users = [s for s in self.seen_by[header] if not s.startswith("tests/")]
        for made, by in MADE_BY.items():
            if header.startswith(made):
                return [s for s in users if re.match(f"kernels/cpu/({by})", s)]
        return users if len(users) <= 16 else [s for s in users if s.startswith("kernels/cpu/unary")]
