"""PyTorch's side of the comparison: the same work as side_by_side.cpp, with PyTorch's best eager settings.

Reads lines "<workload> <seconds>" and answers each with one line of JSON: microseconds an iteration.
Started by compare.py, which lets both sides run in turn.
"""
import copy
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
torch.set_num_threads(threads)
torch.manual_seed(0)


def timed(step, seconds):
    """Median of blocks, each long enough for the clock."""
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-7)
    block = max(1, int(0.02 / once))
    blocks = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(blocks) < 3:
        start = time.perf_counter()
        for _ in range(block):
            step()
        blocks.append((time.perf_counter() - start) / block)
    blocks.sort()
    return blocks[len(blocks) // 2] * 1e6


def new_adamw(model, fused):
    try:
        return torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True) if fused else None
    except (RuntimeError, TypeError):
        return None


def trainer_step(model, loss_of, optimizer, clip=0.0, ema=0.0):
    """forward, backward, clip, step, average: with the foreach and fused forms where they exist."""
    opt = None
    if optimizer == "sgd":
        opt = torch.optim.SGD(model.parameters(), lr=1e-2)
    else:
        opt = new_adamw(model, True) or torch.optim.AdamW(model.parameters(), lr=1e-3)
    average = copy.deepcopy(list(p.detach() for p in model.parameters())) if ema else None
    params = list(model.parameters())

    def step():
        opt.zero_grad(set_to_none=True)
        loss_of().backward()
        if clip:
            nn.utils.clip_grad_norm_(params, clip)
        opt.step()
        if average is not None:
            with torch.no_grad():
                torch._foreach_mul_(average, ema)
                torch._foreach_add_(average, params, alpha=1 - ema)

    return step


def mlp(batch, hidden, optimizer):
    model = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,))
    extra = dict(clip=1.0, ema=0.999) if optimizer == "adamw" else {}
    return trainer_step(model, lambda: F.cross_entropy(model(x), y), optimizer, **extra)


def cnn(batch, first, second, kernel, hidden, optimizer):
    pad = kernel // 2
    layers = [nn.Conv2d(1, first, kernel, padding=pad), nn.ReLU(), nn.MaxPool2d(2),
              nn.Conv2d(first, second, kernel, padding=pad), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    width = second * 7 * 7
    layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 10)] if hidden else [nn.Linear(width, 10)]
    model = nn.Sequential(*layers)
    x, y = torch.randn(batch, 1, 28, 28), torch.randint(10, (batch,))
    extra = dict(clip=1.0) if optimizer == "adamw" else {}
    return trainer_step(model, lambda: F.cross_entropy(model(x), y), optimizer, **extra)


class Block(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def attend(self, q, k, v):
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        t = q.shape[-2]
        mask = torch.ones(t, t, dtype=torch.bool).tril()
        scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
        return scores.softmax(-1) @ v

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.heads, c // self.heads).transpose(1, 2) for z in self.qkv(self.ln1(x)).chunk(3, -1))
        x = x + self.out(self.attend(q, k, v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, layers, c, heads, t):
        super().__init__()
        self.token, self.place = nn.Embedding(vocabulary, c), nn.Embedding(t, c)
        self.blocks = nn.ModuleList(Block(c, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(c), nn.Linear(c, vocabulary, bias=False)

    def forward(self, x):
        y = self.token(x) + self.place.weight[: x.shape[1]]
        for block in self.blocks:
            y = block(y)
        return self.head(self.norm(y))


def gpt(layers, c, heads, t, batch):
    model = Gpt(96, layers, c, heads, t)
    x, y = torch.randint(96, (batch, t)), torch.randint(96, (batch * t,))
    return trainer_step(model, lambda: F.cross_entropy(model(x).view(batch * t, 96), y), "adamw", clip=1.0)


def epilogue(n):
    """n parameters in 64 tensors: clip, AdamW, average; gradients stay as they are."""
    params = [nn.Parameter(torch.randn(n // 64)) for _ in range(64)]
    for p in params:
        p.grad = torch.randn_like(p)
    holder = nn.Module()
    holder.params = nn.ParameterList(params)
    opt = new_adamw(holder, True) or torch.optim.AdamW(params, lr=1e-3)
    average = [p.detach().clone() for p in params]

    def step():
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.999)
            torch._foreach_add_(average, params, alpha=0.001)

    return step


def add():
    a, b = torch.randn(8, 8), torch.randn(8, 8)
    return lambda: a + b


def node():
    x, dy = torch.randn(8, 8, requires_grad=True), torch.randn(8, 8)

    def step():
        x.grad = None
        torch.tanh(x).backward(dy)

    return step


def sgemm(m, n, k):
    a, b, c = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


MAKE = {
    "add_8x8": add,
    "node_8x8": node,
    "mlp_b1_sgd": lambda: mlp(1, 32, "sgd"),
    "mlp_b1_adamw": lambda: mlp(1, 32, "adamw"),
    "mlp_b64_sgd": lambda: mlp(64, 128, "sgd"),
    "mlp_b64_adamw": lambda: mlp(64, 128, "adamw"),
    "mlp_b256_adamw": lambda: mlp(256, 512, "adamw"),
    "cnn_b64": lambda: cnn(64, 16, 32, 5, 0, "sgd"),
    "fashion_b128": lambda: cnn(128, 32, 64, 3, 128, "adamw"),
    "gpt_small": lambda: gpt(4, 128, 4, 64, 12),
    "gpt_medium": lambda: gpt(6, 384, 6, 256, 8),
    "epilogue_32m": lambda: epilogue(32 << 20),
}

print(json.dumps({"side": "torch", "version": torch.__version__, "threads": torch.get_num_threads(),
                  "config": torch.__config__.show().split("\n")[1:4]}), flush=True)
ready = {}
for line in sys.stdin:
    word = line.split()
    if not word or word[0] == "quit":
        break
    name, seconds = word[0], float(word[1])
    if name == "free":  # let go of everything made so far
        ready.clear()
        print(json.dumps({"workload": "free"}), flush=True)
        continue
    if name not in ready:
        if name.startswith("sgemm_"):
            ready[name] = sgemm(*(int(s) for s in name[6:].split("x")))
        else:
            ready[name] = MAKE[name]()
    print(json.dumps({"workload": name, "us": timed(ready[name], seconds)}), flush=True)
