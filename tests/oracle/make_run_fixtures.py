#!/usr/bin/python3
"""Writes optim_matrices.csv, optim_runs.csv and loss_scales.csv: runs of PyTorch in f64.

Made with PyTorch 2.15 (torch.optim.Muon is of 2.9). tests/optim/test_runs_against_torch.cpp does the
same. As in make_optim_fixtures.py the gradient depends on the weights, so that an error in any step
stays visible:
    g[i] = (i + 1) / 4 * (w[i] - 0.3) + ((7 s + 3 i) mod 11 - 5) / 5
"""
import math
import os
import struct
import sys
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 1000
RECORDED = (1, 2, 3, 10, 100, 1000)
optim = torch.optim
S = optim.lr_scheduler


def gradient(w, first, step, slope=4):
    i = torch.arange(first, first + w.numel(), dtype=torch.float64).reshape(w.shape)
    return (i + 1) / slope * (w.detach() - 0.3) + ((7 * step + 3 * i) % 11 - 5) / 5


class Lamb(optim.Optimizer):
    """You et al. 2019, arXiv:1904.00962, algorithm 2; its bound of |p| is the identity."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * p.grad
                v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * p.grad * p.grad
                r = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + group["eps"])
                u = r + group["weight_decay"] * p
                size, length = p.norm(), u.norm()
                ratio = size / length if size > 0 and length > 0 else 1.0
                p -= group["lr"] * ratio * u


MATRICES = {
    "lamb": lambda p: Lamb(p),
    "lamb_options": lambda p: Lamb(p, lr=0.02, betas=(0.8, 0.95), eps=1e-5, weight_decay=0.1),
    "muon": lambda p: optim.Muon(p),
    "muon_options": lambda p: optim.Muon(
        p, lr=0.02, weight_decay=0.3, momentum=0.8, nesterov=False, ns_steps=3, eps=1e-3,
        ns_coefficients=(2.0, -1.5, 0.5)),
    "muon_rms": lambda p: optim.Muon(p, lr=0.005, adjust_lr_fn="match_rms_adamw"),
}


def f64_products(module):
    """Muon rounds its updates to bf16, which would hide everything: this keeps them in f64."""
    def in_f64(grad, coefficients, steps, eps):
        a, b, c = coefficients
        tall = grad.size(0) > grad.size(1)
        x = grad.T if tall else grad
        x = x / x.norm().clamp(min=eps)
        for _ in range(steps):
            gram = x @ x.T
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x.T if tall else x

    # The same steps as torch's, which agree with these to what bf16 keeps.
    g = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torchs = module._zeropower_via_newtonschulz(g, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    assert (in_f64(g, (3.4445, -4.7750, 2.0315), 5, 1e-7) - torchs).abs().max() < 0.05
    module._zeropower_via_newtonschulz = in_f64


def write_matrices():
    f64_products(sys.modules["torch.optim._muon"])
    with open(os.path.join(HERE, "optim_matrices.csv"), "w") as out:
        for name, make in MATRICES.items():
            i = torch.arange(22, dtype=torch.float64)
            values = ((5 * i) % 13 - 6) / 8
            a = values[:12].reshape(3, 4).clone().requires_grad_()
            b = values[12:].reshape(5, 2).clone().requires_grad_()
            optimizer = make([a, b])
            for step in range(STEPS):
                a.grad, b.grad = gradient(a, 0, step, 16), gradient(b, 12, step, 16)
                optimizer.step()
                if step + 1 in RECORDED:
                    values = a.flatten().tolist() + b.flatten().tolist()
                    out.write(",".join([name, str(step + 1)] + [repr(v) for v in values]) + "\n")


class Weights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor([0.5, -1.0, 2.0, 0.125], dtype=torch.float64))
        self.b = torch.nn.Parameter(torch.tensor([-0.75, 0.0625, 1.5], dtype=torch.float64))


def adaptive(decay):
    def average(old, new, t):
        d = min(decay, (1 + int(t)) / (10 + int(t)))
        return d * old + (1 - d) * new
    return average


SWA = optim.swa_utils
ema = lambda decay: lambda m: SWA.AveragedModel(m, multi_avg_fn=SWA.get_ema_multi_avg_fn(decay))


def adaptive_ema(model):
    average = SWA.AveragedModel(model, avg_fn=adaptive(0.9))
    average.n_averaged += 1  # the first update averages with the weights of the start
    return average


adamw = lambda m: optim.AdamW(m.parameters(), lr=0.02)
sgd = lambda m: optim.SGD(m.parameters(), lr=0.02, momentum=0.9)
clip2 = lambda m: torch.nn.utils.clip_grad_norm_(m.parameters(), 0.8)
clip_inf = lambda m: torch.nn.utils.clip_grad_norm_(m.parameters(), 0.7, norm_type=math.inf)
clip_value = lambda m: torch.nn.utils.clip_grad_value_(m.parameters(), 0.5)
none = lambda m: None
RUNS = {  # optimizer, clipping, average, schedule
    "cosine": (adamw, clip2, ema(0.99), lambda o: S.CosineAnnealingLR(o, STEPS, eta_min=0.002)),
    "linear": (adamw, clip2, adaptive_ema, lambda o: S.LinearLR(o, 0.25, 0.75, 600)),
    "one_cycle": (sgd, clip_inf, ema(0.9), lambda o: S.OneCycleLR(o, 0.02, STEPS)),
    "cyclic": (sgd, clip_value, ema(0.9), lambda o: S.CyclicLR(o, 0.002, 0.02, step_size_up=70)),
    "restarts": (adamw, none, ema(0.5),
                 lambda o: S.CosineAnnealingWarmRestarts(o, 50, T_mult=2, eta_min=0.002)),
    "polynomial": (adamw, clip2, ema(0.99), lambda o: S.PolynomialLR(o, 900, power=2.0)),
    "exponential": (sgd, clip2, adaptive_ema, lambda o: S.ExponentialLR(o, 0.999)),
    "step": (sgd, none, ema(0.99), lambda o: S.StepLR(o, 90, gamma=0.7)),
    "multi_step": (adamw, clip_inf, ema(0.99),
                   lambda o: S.MultiStepLR(o, [50, 300, 301, 800], gamma=0.4)),
    "constant": (adamw, clip_value, ema(0.99), lambda o: S.ConstantLR(o, 0.25, 333)),
    "lambda": (adamw, clip2, ema(0.99), lambda o: S.LambdaLR(o, lambda s: 1 / (1 + 0.01 * s))),
    "warmup_cosine": (adamw, clip2, ema(0.999), lambda o: S.LambdaLR(
        o, lambda s: (s + 1) / 100 if s < 100
        else (1 + math.cos(math.pi * min(1, (s - 100) / 900))) / 2)),
}


def write_runs():
    with open(os.path.join(HERE, "optim_runs.csv"), "w") as out:
        for name, (make, clip, make_average, make_schedule) in RUNS.items():
            model = Weights()
            optimizer, average = make(model), make_average(model)
            schedule = make_schedule(optimizer)
            for step in range(STEPS):
                model.a.grad, model.b.grad = gradient(model.a, 0, step), gradient(model.b, 4, step)
                clip(model)
                optimizer.step()
                average.update_parameters(model)
                schedule.step()
                if step + 1 in RECORDED:
                    values = [v for m in (model, average.module) for p in (m.a, m.b)
                              for v in p.tolist()]
                    out.write(",".join([name, str(step + 1)] + [repr(v) for v in values]) + "\n")


def draws(seed):
    """splitmix64"""
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


PATTERNS, LENGTH = 10_000, 40


def write_loss_scales():
    """A line a pattern: FNV-1a over the bits of the scale after each of its steps."""
    w = torch.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.0)
    bad, good = torch.tensor([math.inf]), torch.tensor([1.0])
    with open(os.path.join(HERE, "loss_scales.csv"), "w") as out:
        for k in range(PATTERNS):
            scaler = torch.amp.GradScaler(
                "cpu", init_scale=(65536.0, 1.0, 1e38, 1e-3)[k % 4],
                growth_factor=(2.0, 1.5, 4.0)[k % 3], backoff_factor=(0.5, 0.25, 0.3)[k // 3 % 3],
                growth_interval=1 + k % 5)
            random, rarity = draws(k), 2 + k % 7
            scaler.scale(torch.zeros(1))
            check = 2166136261
            for _ in range(LENGTH):
                w.grad = (bad if next(random) % rarity == 0 else good).clone()
                scaler.step(optimizer)
                scaler.update()
                bits = struct.unpack("<I", struct.pack("<f", scaler.get_scale()))[0]
                check = ((check ^ bits) * 16777619) % 2**32
            out.write(f"{check:08x}\n")


write_matrices()
write_runs()
write_loss_scales()
