"""PyTorch's side of gpu_epilogue.cpp: clip, AdamW, low-precision copy and average of GPT-2's tensors.

default    what a training loop has without asking: foreach everything
eager      the best of eager: the fused optimizer, the average and the copy by foreach
clever     the clip factor given to the fused optimizer as grad_scale: no pass that only scales
compiled   the default under torch.compile
"""
import torch

from gpu_timing import DEVICE, options, report

CASES = [  # name, low, gradient's type, loss scale, clip, average
    ("bf16 clip EMA", torch.bfloat16, torch.float32, False, True, True),
    ("fp16 scale clip EMA", torch.float16, torch.float32, True, True, True),
    ("bf16 clip", torch.bfloat16, torch.float32, False, True, False),
    ("bf16 EMA", torch.bfloat16, torch.float32, False, False, True),
    ("bf16", torch.bfloat16, torch.float32, False, False, False),
]


def sizes(layers, width, vocabulary, context):
    block = [width, width, 3 * width * width, 3 * width, width * width, width,
             width, width, 4 * width * width, 4 * width, 4 * width * width, width]
    return [vocabulary * width, context * width, *(block * layers), width, width]


class Model:
    def __init__(self, case, elements):
        _, low, gradient, self.scaled, self.clip, self.average = case
        self.weights = [torch.randn(n, device=DEVICE).mul_(0.02).requires_grad_() for n in elements]
        for w in self.weights:
            w.grad = torch.randn_like(w).mul_(1e-3).to(gradient)
        self.low = [w.detach().to(low) for w in self.weights]
        self.averages = [w.detach().clone() for w in self.weights] if self.average else []

    def optimizer(self, **how):
        self.adamw = torch.optim.AdamW(self.weights, lr=1e-4, **how)

    def after(self):
        if self.average:
            torch._foreach_lerp_(self.averages, self.weights, 1e-3)
        torch._foreach_copy_(self.low, self.weights)

    def plain(self):
        """Unscale, clip and step with a GradScaler where there is a loss scale."""
        scaler = torch.amp.GradScaler(DEVICE, init_scale=1.0, enabled=self.scaled)
        if self.scaled:
            scaler.scale(torch.ones((), device=DEVICE))  # makes its state

        def step():
            if self.scaled:
                scaler.unscale_(self.adamw)
            if self.clip:
                torch.nn.utils.clip_grad_norm_(self.weights, 1.0, foreach=True)
            scaler.step(self.adamw)
            if self.scaled:
                scaler.update()
            self.after()
        return step

    def folded(self):
        """fused AdamW divides by grad_scale and skips where found_inf is 1: the clip and the loss scale
        are one number, and nothing waits."""
        scale = torch.ones((), device=DEVICE)

        def step():
            gradients = [w.grad for w in self.weights]
            if self.clip or self.scaled:
                norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
                if self.scaled:
                    self.adamw.found_inf = (~torch.isfinite(norm)).float()
                divisor = norm / scale + 1e-6 if self.clip else torch.ones_like(norm)
                self.adamw.grad_scale = scale * divisor.clamp(min=1.0)
            self.adamw.step()
            self.after()
        return step


def sides(case, elements):
    def default():
        m = Model(case, elements)
        m.optimizer(foreach=True)
        return m.plain()

    def eager():
        m = Model(case, elements)
        m.optimizer(fused=True)
        return m.plain()

    def clever():
        m = Model(case, elements)
        m.optimizer(fused=True)
        return m.folded()

    def compiled():
        m = Model(case, elements)
        m.optimizer(foreach=True, capturable=DEVICE == "cuda")
        return torch.compile(m.plain())

    yield "default", default
    yield "eager", eager
    yield "clever", clever
    # A GradScaler asks the device whether to step: torch.compile has nothing to say there.
    if not options.no_compile and not case[3]:
        yield "compiled", compiled


def main():
    models = [("124M", sizes(12, 768, 50257, 1024)), ("1.5B", sizes(48, 1600, 50257, 1024))]
    if options.small:
        models = [("124M", sizes(2, 16, 100, 8)), ("1.5B", sizes(3, 16, 100, 8))]
    with torch.no_grad():
        # What takes a compiler minutes is last: a call that ends early loses it alone.
        for late in (False, True):
            for model, elements in models:
                for case in CASES:
                    for side, make in sides(case, elements):
                        if (side == "compiled") == late:
                            report(f"G3 {model} {case[0]}", side, make)


if __name__ == "__main__":
    main()
