"""PyTorch's side of the comparison: the same work as side_by_side.cpp, with PyTorch's best settings.

Answers compare.py as side_by_side/serve.h does; `values NAME f64` gives the reference. Where PyTorch has
several ways to do a thing (fused, foreach or plain optimizer, channels-last images) each is tried for some
tens of milliseconds and the fastest is the one that is measured.
  torch_side.py THREADS [--compiled]    --compiled: forward, loss and optimizer through torch.compile
"""
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import torch_models as models
from torch_data import fill_parameters, indices, sample, uniform
from workloads import is_product, sizes

COMPILED = "--compiled" in sys.argv
torch.set_num_threads(int(sys.argv[1]))
REFERENCE = torch.float64


def seconds(step):
    """The best of some blocks, for choosing between settings."""
    step()
    start = time.perf_counter()
    step()
    block = max(1, int(0.01 / max(time.perf_counter() - start, 1e-7)))
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(block):
            step()
        best = min(best, (time.perf_counter() - start) / block)
    return best


def fastest(candidates):
    """candidates: name -> function that makes a step; those that this version refuses are left out."""
    times = {}
    for name, make in candidates.items():
        try:
            times[name] = seconds(make())
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            continue
    return min(times, key=times.get)


def new_optimizer(kind, params, setting):
    extra = {} if setting == "plain" else {setting: True}
    if kind == "sgd":
        return torch.optim.SGD(params, lr=1e-2, **extra)
    return torch.optim.AdamW(params, lr=1e-3, **extra)


def clip(params, setting):
    if setting != "plain" and hasattr(torch.nn.utils, "clip_grads_with_norm_"):
        nn.utils.clip_grad_norm_(params, 1.0, foreach=True)
    else:
        nn.utils.clip_grad_norm_(params, 1.0)


def finish(params, kind, setting, keeps_average):
    """The part of a step after the gradients: clip, update, average."""
    optimizer = new_optimizer(kind, params, setting)
    average = [p.detach().clone() for p in params] if keeps_average else []

    def step():
        if kind != "sgd":
            clip(params, setting)
        optimizer.step()
        if average:
            with torch.no_grad():
                if hasattr(torch, "_foreach_lerp_"):
                    torch._foreach_lerp_(average, params, 1e-3)
                else:
                    torch._foreach_mul_(average, 0.999)
                    torch._foreach_add_(average, params, alpha=1e-3)

    return optimizer, torch.compile(step) if COMPILED and kind != "sgd" else step


SETTINGS = ["fused", "foreach", "plain"]


def training(model, x, y, kind, keeps_average, dtype):
    """Values: three losses, then weights after these steps."""
    model = model.to(dtype)
    fill_parameters(model, dtype)
    params = list(model.parameters())
    layouts = {"plain": torch.contiguous_format}
    if x.dim() == 4:
        layouts["channels last"] = torch.channels_last
    start = [p.detach().clone() for p in params]

    def make(setting, layout):
        for p, value in zip(params, start):
            p.data = value.clone(memory_format=layout) if p.dim() == 4 else value.clone()
            p.grad = None
        input_ = x.contiguous(memory_format=layout) if x.dim() == 4 else x

        def loss():
            return F.cross_entropy(model(input_).flatten(0, -2), y)

        compute = torch.compile(loss) if COMPILED else loss
        optimizer, rest = finish(params, kind, setting, keeps_average)

        def step():
            optimizer.zero_grad(set_to_none=True)
            compute().backward()
            rest()

        return loss, step

    best = "plain,plain"
    if dtype != REFERENCE:
        best = fastest({f"{s},{l}": lambda s=s, l=l: make(s, layouts[l])[1]
                        for s in (SETTINGS if not COMPILED else ["foreach"]) for l in layouts})
    setting, layout = best.split(",")
    loss, step = make(setting, layouts[layout])
    values = []
    for _ in range(3):
        values.append(loss().item())
        step()
    for p in params:
        values += sample(p)
    return step, values, best


def images(model, shape, kind, keeps_average, dtype):
    return training(model, uniform(1, shape, dtype), indices(2, shape[:1], 10), kind, keeps_average, dtype)


def text(layers, c, heads, t, batch, dtype):
    x, y = indices(1, (batch, t), 96), indices(2, (batch * t,), 96)
    return training(models.Gpt(96, layers, c, heads, t), x, y, "adamw", False, dtype)


def epilogue(n, dtype):
    """n parameters in 64 tensors; gradients stay as they are."""
    def make(setting):
        params = [nn.Parameter(uniform(100 + i, (n // 64,), dtype)) for i in range(64)]
        for i, p in enumerate(params):
            p.grad = uniform(200 + i, (n // 64,), dtype)
        return params, finish(params, "adamw", setting, True)[1]

    best = fastest({s: lambda s=s: make(s)[1] for s in (SETTINGS if not COMPILED else ["foreach"])})
    params, step = make(best)
    for _ in range(3):
        step()
    return step, [v for p in params for v in sample(p)], best


def product(name, dtype):
    turn_a, turn_b = name.split("_")[1]
    m, n, k = sizes(name)
    a, b, c = uniform(1, (m, k), dtype), uniform(2, (k, n), dtype), torch.empty(m, n, dtype=dtype)
    if turn_a == "t":  # the same memory, read as (k, m)
        a = a.view(k, m).t()
    if turn_b == "t":
        b = b.view(n, k).t()
    torch.mm(a, b, out=c)
    return (lambda: torch.mm(a, b, out=c)), sample(c), ""


def add(dtype):
    a, b = uniform(1, (8, 8), dtype), uniform(2, (8, 8), dtype)
    return (lambda: a + b), sample(a + b), ""


def node(dtype):
    x, dy = uniform(1, (8, 8), dtype).requires_grad_(), uniform(2, (8, 8), dtype)

    def step():
        x.grad = None
        torch.tanh(x).backward(dy)

    step()
    return step, sample(x.grad), ""


MAKE = {
    "add_8x8": add,
    "node_8x8": node,
    "mlp_b1_sgd": lambda d: images(models.mlp(32), (1, 784), "sgd", False, d),
    "mlp_b1_adamw": lambda d: images(models.mlp(32), (1, 784), "adamw", True, d),
    "mlp_b64_sgd": lambda d: images(models.mlp(128), (64, 784), "sgd", False, d),
    "mlp_b64_adamw": lambda d: images(models.mlp(128), (64, 784), "adamw", True, d),
    "mlp_b256_adamw": lambda d: images(models.mlp(512), (256, 784), "adamw", True, d),
    "cnn_b64": lambda d: images(models.cnn(16, 32, 5, 0), (64, 1, 28, 28), "sgd", False, d),
    "fashion_b128": lambda d: images(models.cnn(32, 64, 3, 128), (128, 1, 28, 28), "adamw", False, d),
    "gpt_small": lambda d: text(4, 128, 4, 64, 12, d),
    "gpt_medium": lambda d: text(6, 384, 6, 256, 8, d),
    "epilogue_32m": lambda d: epilogue(32_000_000, d),
}


def made(name, dtype):
    if COMPILED and (is_product(name) or name in ("add_8x8", "node_8x8")):
        raise NotImplementedError("nothing to compile")
    if is_product(name):
        return product(name, dtype)
    return MAKE[name](dtype)


def answer(words, ready):
    if words[0] == "free":
        ready.clear()
        return {"freed": True}
    if words[0] == "values" and words[2:] == ["f64"]:
        return {"values": made(words[1], REFERENCE)[1]}
    if words[1] not in ready:
        ready[words[1]] = made(words[1], torch.float32)
    step, values, setting = ready[words[1]]
    if words[0] == "values":
        return {"values": values, "setting": setting}
    count = int(words[2])
    start = time.perf_counter()
    for _ in range(count):
        step()
    return {"us": (time.perf_counter() - start) / count * 1e6}


def loaded_blas():
    """The matrix library in this process, whatever the build calls it. MKL may be part of torch itself, and
    another library is then in memory for NumPy only."""
    if torch.backends.mkl.is_available():
        return "MKL"
    torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    maps = Path("/proc/self/maps").read_text().lower()
    names = [name for name, mark in (("OpenBLAS", "openblas"), ("BLIS", "libblis")) if mark in maps]
    return names[0] if names else "unknown"


def main():
    isa = next((line.split()[-1] for line in torch.__config__.show().split("\n") if "CPU capability" in line), "unknown")
    version = torch.__version__
    if "dist-packages" in torch.__file__:  # Debian's calls itself by the release before
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "python3-torch"], capture_output=True, text=True)
        version = asked.stdout or version
    name = "PyTorch " + version.split("+")[0] + (" compiled" if COMPILED else "")
    print(json.dumps({"name": name, "version": version, "threads": torch.get_num_threads(),
                      "blas": loaded_blas(), "isa": isa}), flush=True)
    ready = {}
    for line in sys.stdin:
        try:
            reply = answer(line.split(), ready)
        except Exception as error:  # noqa: BLE001: one row's failure is reported, the others go on
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
