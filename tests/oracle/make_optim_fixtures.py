#!/usr/bin/python3
"""Writes optim_steps.csv, optim_schedules.csv and optim_plateau.csv: what PyTorch's optimizers and schedules do in f64.

Made with PyTorch 1.13.1 (Debian 12's python3-torch). tests/optim/test_against_torch.cpp runs the
same cases. The gradient depends on the weights, so an error in any step stays visible:
    g[i] = (i + 1) / 4 * (w[i] - 0.3) + ((7 s + 3 i) mod 11 - 5) / 5
"""
import os
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 1000
RECORDED = (1, 2, 3, 10, 100, 1000)
optim = torch.optim
clip = torch.nn.utils


def weights():
    a = torch.tensor([0.5, -1.0, 2.0, 0.125], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([-0.75, 0.0625, 1.5], dtype=torch.float64, requires_grad=True)
    return a, b


def gradient(w, first, step):
    i = torch.arange(first, first + w.numel(), dtype=torch.float64)
    return (i + 1) / 4 * (w.detach() - 0.3) + ((7 * step + 3 * i) % 11 - 5) / 5


CASES = {
    "sgd": lambda p: optim.SGD(p, lr=0.01),
    "sgd_decay": lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1),
    "sgd_momentum": lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
    "sgd_dampening": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "sgd_nesterov": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p),
    "adam_decay": lambda p: optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p),
    "adamw_options": lambda p: optim.AdamW(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    "adamw_groups": lambda p: optim.AdamW(
        [{"params": [p[0]]}, {"params": [p[1]], "lr": 0.05, "weight_decay": 0.0}], lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p),
    "rmsprop_centered": lambda p: optim.RMSprop(p, alpha=0.9, centered=True, weight_decay=0.1),
    "rmsprop_momentum": lambda p: optim.RMSprop(p, lr=0.001, momentum=0.9),
    "rmsprop_both": lambda p: optim.RMSprop(p, lr=0.001, momentum=0.9, centered=True),
    "adagrad": lambda p: optim.Adagrad(p),
    "adagrad_options": lambda p: optim.Adagrad(
        p, lr=0.1, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.5),
    "clip_norm": lambda p: optim.AdamW(p, lr=0.02),
    "clip_infinity_norm": lambda p: optim.SGD(p, lr=0.02, momentum=0.9),
    "clip_value": lambda p: optim.SGD(p, lr=0.02, momentum=0.9),
}
CLIPS = {
    "clip_norm": lambda p: clip.clip_grad_norm_(p, 0.8),
    "clip_infinity_norm": lambda p: clip.clip_grad_norm_(p, 0.7, norm_type=float("inf")),
    "clip_value": lambda p: clip.clip_grad_value_(p, 0.5),
}

with open(os.path.join(HERE, "optim_steps.csv"), "w") as out:
    for name, make in CASES.items():
        a, b = weights()
        optimizer = make([a, b])
        for step in range(STEPS):
            a.grad, b.grad = gradient(a, 0, step), gradient(b, 4, step)
            if name in CLIPS:
                CLIPS[name]([a, b])
            optimizer.step()
            if step + 1 in RECORDED:
                values = a.tolist() + b.tolist()
                out.write(",".join([name, str(step + 1)] + [repr(v) for v in values]) + "\n")

S = optim.lr_scheduler
LR = 0.4
SCHEDULES = {
    "constant": lambda o: S.ConstantLR(o, factor=0.25, total_iters=7),
    "linear": lambda o: S.LinearLR(o, start_factor=0.25, end_factor=0.75, total_iters=20),
    "cosine": lambda o: S.CosineAnnealingLR(o, T_max=120, eta_min=0.04),
    "step": lambda o: S.StepLR(o, step_size=7, gamma=0.5),
    "multi_step": lambda o: S.MultiStepLR(o, milestones=[5, 30, 31, 100], gamma=0.3),
    "exponential": lambda o: S.ExponentialLR(o, gamma=0.95),
    "polynomial": lambda o: S.PolynomialLR(o, total_iters=90, power=2.0),
    "lambda": lambda o: S.LambdaLR(o, lambda s: 1 / (1 + 0.1 * s)),
    "one_cycle": lambda o: S.OneCycleLR(o, max_lr=LR, total_steps=120),
    "one_cycle_linear": lambda o: S.OneCycleLR(
        o, max_lr=LR, total_steps=120, pct_start=0.25, anneal_strategy="linear", base_momentum=0.8,
        max_momentum=0.9, div_factor=10, final_div_factor=100),
    "one_cycle_three": lambda o: S.OneCycleLR(o, max_lr=LR, total_steps=120, three_phase=True),
    "cyclic": lambda o: S.CyclicLR(o, base_lr=0.04, max_lr=LR, step_size_up=10),
    "cyclic_triangular2": lambda o: S.CyclicLR(
        o, base_lr=0.04, max_lr=LR, step_size_up=10, step_size_down=15, mode="triangular2"),
    "cyclic_exp_range": lambda o: S.CyclicLR(
        o, base_lr=0.04, max_lr=LR, step_size_up=10, mode="exp_range", gamma=0.99),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=20, eta_min=0.04),
    "restarts_mult": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2),
}
with open(os.path.join(HERE, "optim_schedules.csv"), "w") as out:
    for name, make in SCHEDULES.items():
        w = torch.zeros(1, requires_grad=True)
        optimizer = optim.SGD([w], lr=LR, momentum=0.9)
        schedule = make(optimizer)
        for s in range(120):
            group = optimizer.param_groups[0]
            if s < 35 or s % 7 == 0 or s > 115:
                out.write(f"{name},{s},{group['lr']!r},{group['momentum']!r}\n")
            optimizer.step()
            if s < 119:
                schedule.step()

PLATEAUS = {
    "plain": dict(factor=0.5, patience=2),
    "absolute": dict(factor=0.5, patience=1, threshold=0.05, threshold_mode="abs", cooldown=3),
    "max": dict(mode="max", factor=0.3, patience=3, threshold=0.01, min_lr=0.02),
}
with open(os.path.join(HERE, "optim_plateau.csv"), "w") as out:
    for name, options in PLATEAUS.items():
        optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
        schedule = S.ReduceLROnPlateau(optimizer, **options)
        for k in range(60):
            metric = 2 / (1 + 0.3 * k) + ((7 * k) % 5 - 2) / 20
            schedule.step(float("nan") if k == 20 else metric)
            out.write(f"{name},{k},{optimizer.param_groups[0]['lr']!r}\n")
