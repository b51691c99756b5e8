#!/usr/bin/env python3
"""Writes README's table from the newest comparison in bench/results (or, with --check, compares them)."""
import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench" / "side_by_side"))
from compare import TITLES, human  # noqa: E402

BEGIN = "<!-- measured: made by bench/readme_table.py from bench/results; do not edit -->\n"
END = "<!-- /measured -->"


def table(result):
    names = ["PyTorch " + t["version"].split("+")[0] for t in result["theirs"]]
    m = result["machine"]
    lines = [f"{m['processor']}, {result['threads']} threads, {m['date']}; the same work in turn within one run, "
             "median of the rounds. A ratio above 1: Gradus is faster.", "",
             "| work | Gradus | " + " | ".join(f"{n} | ratio" for n in names) + " |",
             "|---|---|" + "---|---|" * len(names)]
    for row in result["rows"]:
        title = TITLES.get(row["workload"], row["workload"].replace("_", " "))
        cells = [title, human(row["us"])]
        for o in row["opponents"]:
            cells += [human(o["us"]), f"{o['ratio']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    ours, *others = result.get("start_up", [None])
    if ours:
        cells = ["start of a process to its first backward", f"{ours['ms']:.1f} ms"]
        for o in others:
            cells += [f"{o['ms']:.0f} ms", f"{o['ms'] / ours['ms']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
        cells = ["peak memory of that process", f"{ours['megabytes']:.1f} MB"]
        for o in others:
            cells += [f"{o['megabytes']:.0f} MB", f"{o['megabytes'] / ours['megabytes']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    a = parser.parse_args()
    results = sorted((ROOT / "bench" / "results").glob("side_by_side_*.json"))
    text = table(json.loads(results[-1].read_text())) if results else "Nothing measured yet.\n"
    readme = (ROOT / "README.md").read_text()
    made = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: BEGIN + text + END, readme, flags=re.S)
    if a.check:
        sys.exit(0 if made == readme else "README.md's table is not the one of bench/results: run bench/readme_table.py")
    (ROOT / "README.md").write_text(made)


if __name__ == "__main__":
    main()
