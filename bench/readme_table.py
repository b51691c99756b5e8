#!/usr/bin/env python3
"""Writes README's table from the newest comparison in bench/results; --check says whether they agree.

A result is a file of side_by_side/compare.py, named side_by_side_<date>.json (and sizes_<date>.json of
sizes.py). Without one README says that nothing has been measured. --root: another tree, for the test of this.
"""
import argparse
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "side_by_side"))
from workloads import is_product, title  # noqa: E402

BEGIN = "<!-- measured: made by bench/readme_table.py from bench/results; do not edit -->\n"
END = "<!-- /measured -->"
NOTHING = "Nothing measured yet.\n"


def human(us):
    if us < 1:
        return f"{us * 1e3:.0f} ns"
    return f"{us:.3g} us" if us < 1e3 else f"{us / 1e3:.3g} ms" if us < 1e6 else f"{us / 1e6:.3g} s"


def lines_of(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows]


def beside(row, names, cell):
    """A cell for each opponent; a dash where it has not been measured."""
    found = {o["name"]: o for o in row["opponents"]}
    return [cell(found[n]) if n in found else "-" for n in names]


def work(result, names):
    rows = [[title(r["workload"]), human(r["us"]), *beside(r, names, lambda o: f"{human(o['us'])} ({o['ratio']:.2f}x)")]
            for r in result["rows"] if not is_product(r["workload"])]
    for what, text in (("start", "process start to first backward, memory"),
                       ("train", "process training the MLP, batch 32, memory")):
        found = {p["name"]: f"{p['ms']:.1f} ms, {p['megabytes']:.1f} MB" for p in result["processes"] if p["what"] == what}
        if "Gradus" in found:
            rows.append([text, found["Gradus"], *(found.get(n, "-") for n in names)])
    return lines_of(["work", "Gradus", *names], rows)


def products(result, names):
    rows = []
    for r in result["rows"]:
        if is_product(r["workload"]):
            share = 100 * r["gflops"] / result["ceiling"]["gflops"]
            flops = r["gflops"] * r["us"]
            rows.append([title(r["workload"])[6:], f"{r['gflops']:.0f} ({share:.0f} %)",
                         *beside(r, names, lambda o: f"{flops / o['us']:.0f} ({o['ratio']:.2f}x)")])
    return lines_of(["product, GFLOP/s (share of FMA peak)", "Gradus", *names], rows) if rows else []


def table(result, sizes):
    m, c = result["machine"], result["ceiling"]
    others = "; ".join(f"{t['name']}" + (f" with {t['blas']}, {t['isa']}" if "blas" in t else "") for t in result["theirs"])
    names = [t["name"] for t in result["theirs"]]
    measured = {o["name"] for r in result["rows"] if not is_product(r["workload"]) for o in r["opponents"]}
    multiplied = {o["name"] for r in result["rows"] if is_product(r["workload"]) for o in r["opponents"]}
    out = [f"{m['processor']}, {result['threads']} threads, {c['gflops']:.0f} GFLOP/s at most and {c['copy_gb_s']:.1f} GB/s "
           f"by memcpy; {m['date']}. Beside {others or 'nothing else'}: the same work from the same numbers in "
           f"turn, median of {result['repeats']} turns; in parentheses how many times faster Gradus is (the median "
           f"of the turns' ratios). Spreads, settings and distances from f64 are in the file.", ""]
    out += work(result, [n for n in names if n in measured])
    rows = products(result, [n for n in names if n in multiplied])
    out += ["", *rows] if rows else []
    if result["failed"]:
        out += ["", "Not measured: " + ", ".join(sorted(result["failed"])) + "."]
    if sizes:
        out += ["", *lines_of(["size", "bytes"], [[k, f"{v:,}"] for k, v in sizes["bytes"].items()])]
    return "\n".join(out) + "\n"


def newest(root, kind):
    files = sorted((root / "bench" / "results").glob(f"{kind}_*.json"))
    return json.loads(files[-1].read_text()) if files else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", type=Path, default=HERE.parent)
    a = parser.parse_args()
    result = newest(a.root, "side_by_side")
    text = table(result, newest(a.root, "sizes")) if result else NOTHING
    readme = a.root / "README.md"
    before = readme.read_text()
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        sys.exit("README.md: the place of the measured table is gone")
    after = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: BEGIN + text + END, before, flags=re.S)
    if a.check:
        sys.exit(None if after == before else "README.md's table is not that of bench/results: run bench/readme_table.py")
    readme.write_text(after)


if __name__ == "__main__":
    main()
