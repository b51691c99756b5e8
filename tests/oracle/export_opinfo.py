"""PyTorch's OpInfo samples (inputs, arguments, results, gradients, bad inputs) of every op of ours, as
one safetensors file a family under tests/oracle/opinfo/. tests/oracle/test_opinfo.cpp replays them.

    python3 tests/oracle/export_opinfo.py [FAMILY...]      needs torch >= 2.4 and numpy

Every sample is computed in f64. Its inputs are first rounded to numbers with 8 significant bits, which
every floating dtype holds: the one f64 result is the reference for f32, bf16 and f16, too. Integer and
boolean samples are stored as they are. A file holds pools of values, one a dtype, and "cases": a line of
JSON each. A tensor there is a string "T:dtype:shape:pool:offset", with ":g" if a gradient is wanted.
The gradient of an output's i-th element is upstream(i), so it is not stored. Left out: complex numbers,
values that are no tensors, numbers or texts, and tensors above MAX_ELEMENTS; "left_out" counts them.
"""
import json
import math
import sys
import types
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch

if "expecttest" not in sys.modules:  # OpInfo imports it, but needs it for its own tests alone
    sys.modules["expecttest"] = types.SimpleNamespace(TestCase=object)
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import SampleInput

sys.path.insert(0, str(Path(__file__).parent))
from opinfo_ops import FAMILIES

HERE = Path(__file__).parent / "opinfo"
MAX_ELEMENTS = 1500  # of the inputs and outputs of a case
DTYPES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16",
          torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8", torch.bool: "boolean"}
# How many samples an op gives in each dtype; None: all.
SAMPLES = {torch.float64: None, torch.int64: 24, torch.int32: 8, torch.uint8: 8, torch.bool: 16}


class LeftOut(Exception):
    pass


def save_file(tensors, path, metadata):
    """safetensors: the header's length, a header in JSON, the bytes."""
    names = {"u8": "U8", "bf16": "BF16", "f32": "F32", "f64": "F64", "i64": "I64", "cases": "U8"}
    header, parts, end = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):
        parts.append(tensors[name].view(torch.uint8).numpy().tobytes())
        header[name] = {"dtype": names[name], "shape": [tensors[name].numel()],
                        "data_offsets": [end, end := end + len(parts[-1])]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def upstream(shape):
    """dy of the i-th element of a result: small numbers with few bits."""
    n = math.prod(shape)
    return ((torch.arange(n, dtype=torch.float64) * 37 + 11) % 64 - 31.5).div(16).reshape(shape)


class Pools:
    """Values of all tensors of a file, each in the narrowest dtype that holds them exactly."""
    ORDER = {"u8": torch.uint8, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64,
             "i64": torch.int64}

    def __init__(self):
        self.parts = {name: [] for name in self.ORDER}
        self.sizes = dict.fromkeys(self.ORDER, 0)
        self.seen = {}

    def place(self, t):
        t = t.detach().reshape(-1).clone(memory_format=torch.contiguous_format)
        for name, dtype in self.ORDER.items():
            if t.is_floating_point() and name in ("u8", "i64"):
                continue
            if name == "u8" and t.numel() and (t.min() < 0 or t.max() > 255):
                continue
            narrow = torch.empty(t.numel(), dtype=dtype).copy_(t)  # of stride 1, whatever t's is
            if torch.equal(torch.nan_to_num(narrow.to(t.dtype), 12345.0) if t.is_floating_point()
                           else narrow.to(t.dtype),
                           torch.nan_to_num(t, 12345.0) if t.is_floating_point() else t):
                break
        key = (name, narrow.view(torch.uint8).numpy().tobytes() if narrow.numel() else b"")
        if key not in self.seen:
            self.seen[key] = self.sizes[name]
            self.parts[name].append(narrow)
            self.sizes[name] += narrow.numel()
        return f"{name}:{self.seen[key]}"

    def spec(self, t):
        if t.dim() > 8:
            raise LeftOut("more than 8 dimensions")
        if t.dtype not in DTYPES or t.layout != torch.strided:
            raise LeftOut(f"{t.dtype} {t.layout} tensors".replace("torch.", ""))
        text = f"T:{DTYPES[t.dtype]}:{','.join(map(str, t.shape))}:{self.place(t)}"
        return text + (":g" if t.requires_grad else "")


def rounded(v):
    """A copy of an argument; floating tensors hold 8 bits where that loses no zero and no infinity."""
    if isinstance(v, torch.Tensor):
        if v.layout != torch.strided or v.is_complex():
            raise LeftOut("complex or sparse tensors")
        values = v.detach().clone()
        if v.dtype == torch.float64:
            few = values.to(torch.bfloat16).double()
            if bool((few.isfinite() == values.isfinite()).all() & ((few == 0) == (values == 0)).all()):
                values = few
        return values.requires_grad_(v.requires_grad)
    if isinstance(v, (list, tuple)) and not isinstance(v, torch.Size):
        return type(v)(rounded(e) for e in v) if type(v) in (list, tuple) else [rounded(e) for e in v]
    return v


def encode(v, pools):
    if isinstance(v, torch.Tensor):
        return pools.spec(v)
    if isinstance(v, torch.dtype):
        if v not in DTYPES:
            raise LeftOut(f"dtype {v}".replace("torch.", ""))
        return "D:" + DTYPES[v]
    if isinstance(v, (list, tuple)):
        return [encode(e, pools) for e in v]
    if isinstance(v, (np.integer, np.floating, np.bool_)):
        v = v.item()
    if isinstance(v, float) and not math.isfinite(v):
        return f"F:{v}"
    if v is None or isinstance(v, (bool, int, float, str)):
        return v
    raise LeftOut(f"an argument of type {type(v).__name__}")


def leaves(v):
    if isinstance(v, torch.Tensor):
        yield v
    elif isinstance(v, (list, tuple)):
        for e in v:
            yield from leaves(e)


def named(names, sample):
    """input, args and kwargs under the table's names; a name "*x" takes all that is left."""
    values = [sample.input, *sample.args]
    out = dict(sample.kwargs)
    for i, name in enumerate(names):
        if name.startswith("*"):
            rest = values[i:]
            if rest:
                nested = len(rest) == 1 and isinstance(rest[0], (list, tuple))
                out[name[1:]] = list(rest[0]) if nested else rest
            return out
        if i < len(values):
            out[name] = values[i]
    if len(values) > len(names):
        raise LeftOut("more arguments than ours has")
    return out


def plain(sample):
    sample.input = rounded(sample.input)
    sample.args = tuple(rounded(a) for a in sample.args)
    sample.kwargs = {k: rounded(v) for k, v in sample.kwargs.items()}
    return sample


def export_case(op, names, dtype, sample, pools):
    plain(sample)
    args = named(names, sample)
    if "out" in args:
        raise LeftOut("the argument out")
    line = {"op": op_name(op), "dtype": DTYPES[dtype],
            "args": {k: encode(args[k], pools) for k in sorted(args)}}
    result = op(sample.input, *sample.args, **sample.kwargs)
    results = list(leaves(result))
    if any(t.is_complex() for t in results):
        results = [torch.view_as_real(t) if t.is_complex() else t for t in results]
        line["complex"] = True
    inputs = [t for k in sorted(args) for t in leaves(args[k])]
    if sum(t.numel() for t in results + inputs) > MAX_ELEMENTS:
        raise LeftOut(f"above {MAX_ELEMENTS} elements")
    line["out"] = [encode(t.detach(), pools) for t in results]
    wanted = [t for t in inputs if t.requires_grad]
    roots = [t for t in results if t.requires_grad]
    if wanted and roots:
        grads = torch.autograd.grad(roots, wanted, [upstream(t.shape).to(t.dtype) for t in roots],
                                    allow_unused=True)
        line["grad"] = [None if g is None else encode(g.detach(), pools) for g in grads]
    return line


def op_name(op):
    return op.name + ("/" + op.variant_test_name if op.variant_test_name else "")


SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 88.0, -104.0, 2.0**-24]
EXTREME = [2.0**-1074, -(2.0**-1030), 2.0**-1022, 2.0**1023 * 1.5, -(2.0**1023) * 1.5, 710.0, -746.0]


# Where PyTorch leaves the mathematical value: silu and mish of -inf are 0 and subnormal before that, and
# its vector fmod loses tiny divisors.
NO_INFINITY = ("nn.functional.silu", "nn.functional.mish")
NO_EXTREMES = ("fmod", "remainder", *NO_INFINITY)


def special_samples(entry, names):
    """Every special value, and every pair of them for functions of two."""
    for values in (SPECIAL, SPECIAL + EXTREME)[: 1 if entry in NO_EXTREMES else 2]:
        values = [v for v in values if v != -math.inf or entry not in NO_INFINITY]
        x = torch.tensor(values, dtype=torch.float64)
        if names == ["input"]:
            yield SampleInput(x)
        elif names == ["input", "other"]:
            yield SampleInput(x.reshape(-1, 1), args=(x,))


def samples_of(op, dtype):
    torch.manual_seed(7)
    np.random.seed(7)
    wants = dtype == torch.float64 and op.supports_autograd
    limit = SAMPLES[dtype]
    for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=wants)):
        if limit is not None and i >= limit:
            return
        yield sample


def export(family, entries):
    pools, lines, left_out = Pools(), [], Counter()
    by_name = {op_name(op): op for op in op_db}
    for name, parameters in entries.items():
        op = by_name[name]
        for dtype in SAMPLES:
            if dtype not in op.supported_dtypes("cpu"):
                continue
            for sample in samples_of(op, dtype):
                try:
                    lines.append(export_case(op, parameters, dtype, sample, pools))
                except LeftOut as reason:
                    left_out[f"{name}: {reason}"] += 1
        if family in ("pointwise", "activation") and "__" not in name:
            lines += [export_case(op, parameters, torch.float64, sample, pools)
                      for sample in special_samples(name, parameters)]
        if op.error_inputs_func is None:
            continue
        torch.manual_seed(7)
        for bad in op.error_inputs("cpu"):
            try:
                args = named(parameters, plain(bad.sample_input))
                if "out" in args:
                    raise LeftOut("the argument out")
                lines.append({"op": name, "dtype": "f64", "error": True,
                              "args": {k: encode(args[k], pools) for k in sorted(args)}})
            except LeftOut as reason:
                left_out[f"{name}: {reason} (a bad input)"] += 1
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
    tensors = {name: torch.cat(parts) for name, parts in pools.parts.items() if pools.sizes[name]}
    tensors["cases"] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).clone()
    HERE.mkdir(exist_ok=True)
    path = HERE / f"{family}.safetensors"
    save_file(tensors, path, {"left_out": json.dumps(left_out), "torch": torch.__version__})
    kinds = Counter("error" if "error" in line else line["dtype"] for line in lines)
    print(family, dict(kinds), "gradients", sum("grad" in line for line in lines),
          f"{path.stat().st_size / 1e6:.2f} MB, text {len(text) / 1e6:.2f} MB;", dict(left_out))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for family in sys.argv[1:] or FAMILIES:
        export(family, FAMILIES[family])
