"""PyTorch's side of bench/gpu_check: the rows of gpu_rows.cpp, eager and through torch.compile. For the
optimizer, eager is the fastest of fused and foreach, with clip_grad_norm_ and the average by foreach.
"""
import torch
import torch.nn.functional as F

from gpu_timing import DEVICE, microseconds, options, report

MANY = 1 << 10 if options.small else 64 << 20


def values(*shape, dtype=torch.float32, wants_gradient=False):
    return torch.randn(shape, device=DEVICE).to(dtype).requires_grad_(wants_gradient)


def plain(f, *inputs):
    def make(compiled):
        g = torch.compile(f) if compiled else f
        return lambda: g(*inputs)
    return make


def trained(f, x, *more):
    def make(compiled):
        g = torch.compile(f) if compiled else f
        dy = torch.randn_like(g(x, *more).detach())

        def step():
            for t in (x, *more):
                t.grad = None
            g(x, *more).backward(dy)
        return step
    return make


def epilogue(tensors, numel, average):
    def make(compiled):
        params = [values(numel, wants_gradient=True) for _ in range(tensors)]
        for p in params:
            p.grad = 2 * p.detach()
        averages = [p.detach().clone() for p in params]

        def stepper(setting):
            optimizer = torch.optim.AdamW(params, lr=1e-3, **{setting: True})

            def step():
                torch.nn.utils.clip_grad_norm_(params, 1.0, foreach=True)
                optimizer.step()
                if average:
                    torch._foreach_lerp_(averages, params, 1e-3)
            return torch.compile(step) if compiled else step

        # fused is a single kernel that torch.compile would not look into
        settings = ["foreach"] if compiled else ["fused", "foreach"]
        with torch.no_grad():
            return min((stepper(s) for s in settings), key=microseconds)
    return make


def rows():
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        yield f"add 64M {name}", lambda: plain(torch.add, values(MANY, dtype=dtype),
                                               values(MANY, dtype=dtype))
        yield f"gelu 64M {name}", lambda: plain(F.gelu, values(MANY, dtype=dtype))
        yield f"matmul 4096 {name}", lambda: plain(torch.matmul, values(4096, 4096, dtype=dtype),
                                                   values(4096, 4096, dtype=dtype))
    yield "sum 64M", lambda: plain(torch.sum, values(MANY))
    yield "dropout 64M", lambda: plain(lambda a: F.dropout(a, 0.1), values(MANY))
    x = lambda: values(8192, 4096, wants_gradient=True)
    w = lambda: values(4096, wants_gradient=True)
    yield "softmax 8192x4096", lambda: trained(lambda a: torch.softmax(a, -1), x())
    yield "layer_norm 8192x4096", lambda: trained(lambda a, b: F.layer_norm(a, (4096,), b, b), x(), w())
    yield "rms_norm 8192x4096", lambda: trained(lambda a, b: F.rms_norm(a, (4096,), b), x(), w())

    def cross_entropy():
        target = torch.randint(0, 50304, (8192,), device=DEVICE)
        return trained(lambda a: F.cross_entropy(a, target), values(8192, 50304, wants_gradient=True))
    yield "cross_entropy 8192x50304", cross_entropy

    def embedding():
        index = torch.randint(0, 50304, (16384,), device=DEVICE)
        return trained(lambda a: F.embedding(index, a), values(50304, 768, wants_gradient=True))
    yield "embedding 16384 of 50304x768", embedding
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        yield f"attention 8x12x1024x64 causal {name}", lambda: trained(
            lambda a: F.scaled_dot_product_attention(a, a, a, is_causal=True),
            values(8, 12, 1024, 64, dtype=dtype, wants_gradient=True))
    yield "clip AdamW 124M", lambda: epilogue(148, 838_000, False)
    yield "clip AdamW EMA 124M", lambda: epilogue(148, 838_000, True)
    yield "clip AdamW 1M in 120", lambda: epilogue(120, 8_192, False)


def main():
    for name, workload in rows():
        make = workload()
        for side in ("eager",) if options.no_compile else ("eager", "compiled"):
            report(name, side, lambda: make(side == "compiled"))
        del make


if __name__ == "__main__":
    main()
