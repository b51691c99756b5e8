"""NumPy's validation sets of its mathematical functions (correctly rounded results, chosen where they
are hard) for those that are ours, as tests/oracle/umath.safetensors: NAME.f32.x, NAME.f32.y and the same
for f64. tests/oracle/test_umath.cpp replays them.

    python3 tests/oracle/export_umath.py        needs numpy, whose package has the sets
"""
import json
import struct
from pathlib import Path

import numpy

NAMES = {"arccos": "acos", "arcsin": "asin", "arctan": "atan", "cos": "cos", "cosh": "cosh", "exp": "exp",
         "exp2": "exp2", "expm1": "expm1", "log": "log", "log10": "log10", "log1p": "log1p", "log2": "log2",
         "sin": "sin", "sinh": "sinh", "tan": "tan", "tanh": "tanh"}
DTYPES = {"np.float32": ("f32", "F32", "<I"), "np.float64": ("f64", "F64", "<Q")}


def rows(path):
    """(dtype, input, output) as bit patterns."""
    for line in path.read_text().splitlines():
        parts = [p.strip() for p in line.split(",")]
        if parts[0] in DTYPES:
            yield parts[0], int(parts[1], 16), int(parts[2], 16)


def main():
    root = Path(numpy.__file__).parent
    data = next(p for p in (root / "_core/tests/data", root / "core/tests/data") if p.exists())
    tensors = {}
    for theirs, ours in NAMES.items():
        for dtype, x, y in rows(data / f"umath-validation-set-{theirs}.csv"):
            short, _, code = DTYPES[dtype]
            tensors.setdefault(f"{ours}.{short}.x", []).append(struct.pack(code, x))
            tensors.setdefault(f"{ours}.{short}.y", []).append(struct.pack(code, y))
    header, parts, end = {"__metadata__": {"numpy": numpy.__version__}}, [], 0
    for name in sorted(tensors, key=lambda name: (".f32." in name, name)):
        parts.append(b"".join(tensors[name]))
        kind = "F32" if ".f32." in name else "F64"
        header[name] = {"dtype": kind, "shape": [len(tensors[name])],
                        "data_offsets": [end, end := end + len(parts[-1])]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = Path(__file__).parent / "umath.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    print(path, path.stat().st_size, "bytes,", sum(map(len, tensors.values())) // 2, "rows")


main()
