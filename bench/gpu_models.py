"""PyTorch's side of gpu_models.cpp: whole training steps of small networks and of GPT-2 124M, eager
(fused AdamW), compiled, and eager in a CUDA graph.
"""
import torch
import torch.nn.functional as F
from torch import nn

from gpu_timing import DEVICE, host_microseconds, options, report


class Gpt(nn.Module):
    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            n, t, c = x.shape
            q, k, v = (h.view(n, t, self.heads, -1).transpose(1, 2)
                       for h in self.attn(self.ln_1(x)).split(c, dim=2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).reshape(n, t, c))
            return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))

    def __init__(self, layers, width, vocabulary, context):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(self.Block(width, max(1, width // 64)) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.wte.weight)


def mlp(hidden):
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(64 * 49, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10))


def trainer(make_model, x, target, lowered, average, how):
    model = make_model().to(DEVICE)
    parameters = list(model.parameters())
    graph = how == "graph"
    if graph and DEVICE != "cuda":
        raise RuntimeError("CUDA graphs need a GPU")
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True, capturable=graph)
    averages = [p.detach().clone() for p in parameters] if average else []
    forward = torch.compile(model) if how == "compiled" else model

    def step():
        optimizer.zero_grad(set_to_none=not graph)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=lowered):
            y = forward(x)
            loss = F.cross_entropy(y.reshape(-1, y.shape[-1]), target.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        if average:
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1e-3)

    if not graph:
        return step
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    return captured.replay


def time_model(row, make_model, x, target, lowered=False, average=False, samples=1, unit="samples"):
    def more(step, us):
        peak = torch.cuda.max_memory_allocated() if DEVICE == "cuda" else 0
        return {"host_us": round(host_microseconds(step), 2), f"{unit}_s": round(samples / us * 1e6),
                "peak_bytes": peak}

    for how in ("eager", "compiled", "graph"):
        if how == "compiled" and options.no_compile:
            continue
        if DEVICE == "cuda":
            torch.cuda.reset_peak_memory_stats()
        report(row, how, lambda: trainer(make_model, x(), target(), lowered, average, how), more)


def main():
    def images(*shape):
        return lambda: torch.randn(shape, device=DEVICE)

    def classes(n, *shape):
        return lambda: torch.randint(0, n, shape, device=DEVICE)

    small = options.small
    time_model("G6 MLP 784-32-10 batch 1", lambda: mlp(32), images(1, 784), classes(10, 1),
               average=True)
    n = 4 if small else 64
    time_model("G6 MLP 784-128-10 batch 64", lambda: mlp(128), images(n, 784), classes(10, n),
               average=True, samples=n)
    n = 2 if small else 128
    time_model("Fashion-MNIST CNN batch 128", cnn, images(n, 1, 28, 28), classes(10, n), samples=n,
               unit="images")
    for batch in (8,) if small else (8, 32):
        for average in (False, True):
            n, t, vocabulary = (2, 8, 50) if small else (batch, 1024, 50304)
            size = (1, 16, vocabulary, t) if small else (12, 768, vocabulary, t)
            time_model(f"GPT-2 124M bf16 batch {batch}{' EMA' if average else ''}",
                       lambda: Gpt(*size), classes(vocabulary, n, t), classes(vocabulary, n, t),
                       lowered=True, average=average, samples=n * t, unit="tokens")


if __name__ == "__main__":
    main()
