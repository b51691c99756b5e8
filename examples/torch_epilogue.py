"""The optimizer's step of Gradus in a PyTorch loop: clipping, AdamW, a bf16 copy and a moving
average in three launches, in place of one PyTorch kernel (or loop) for each of them.

    cmake --preset release -DBUILD_SHARED_LIBS=ON && cmake --build --preset release
    python examples/torch_epilogue.py build/release/libgradus.so

Trains a small network with torch.optim.AdamW and with this, on the CPU or, if both were built for
it, on a GPU, and prints how far apart the weights are after 50 steps.
"""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_void_p

import torch


class Tensor(ctypes.Structure):  # gradus_epilogue_tensor
    _fields_ = [("weight", c_void_p), ("gradient", c_void_p), ("state", c_void_p * 4),
                ("low", c_void_p), ("average", c_void_p), ("n", c_int64),
                ("weight_type", c_int32), ("gradient_type", c_int32), ("low_type", c_int32),
                ("decays", c_int32)]


class Options(ctypes.Structure):  # gradus_epilogue_options
    _fields_ = [("rule", c_char_p), ("constants", c_double * 4), ("max_norm", c_double),
                ("max_value", c_double), ("loss_scale", c_double), ("growth_interval", c_int32),
                ("apply_non_finite", c_int32)]


class Rates(ctypes.Structure):  # gradus_epilogue_rates
    _fields_ = [("lr", c_double), ("momentum", c_double), ("weight_decay", c_double),
                ("average", c_double)]


class State(ctypes.Structure):  # gradus_epilogue_state
    _fields_ = [("attempted", c_int64), ("applied", c_int64), ("norm", c_double),
                ("loss_scale", c_double), ("finite", c_int32)]


TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}


class AdamW:
    """torch.optim.AdamW with clipping by the norm of all gradients (max_norm) and a moving average
    of the weights (`average`, a list of tensors). Gradients must stay where they are: zero_grad
    fills them with zeros instead of letting them go."""

    def __init__(self, library, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                 weight_decay=1e-2, max_norm=0.0, ema_decay=0.0):
        self.lib = ctypes.CDLL(library)
        self.lib.gradus_epilogue_new.restype = c_void_p
        self.lib.gradus_epilogue_error.restype = c_char_p
        self.lib.gradus_epilogue_new.argtypes = [POINTER(Tensor), c_int64, POINTER(Options),
                                                 c_int32]
        self.lib.gradus_epilogue_step.argtypes = [c_void_p, POINTER(Rates), c_void_p]
        self.lib.gradus_epilogue_read.argtypes = [c_void_p, POINTER(State)]
        self.lib.gradus_epilogue_free.argtypes = [c_void_p]

        self.parameters = [p for p in parameters if p.requires_grad]
        self.lr, self.beta1, self.weight_decay = lr, betas[0], weight_decay
        self.ema_decay, self.steps = ema_decay, 0
        for p in self.parameters:
            assert p.is_contiguous(), "parameters must be contiguous"
            p.grad = torch.zeros_like(p)
        self.state = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]
        self.average = [p.detach().clone() for p in self.parameters]
        self.device = self.parameters[0].device
        table = (Tensor * len(self.parameters))()
        for i, (t, p) in enumerate(zip(table, self.parameters)):
            t.weight, t.gradient, t.n = p.data_ptr(), p.grad.data_ptr(), p.numel()
            t.state[0], t.state[1] = (s[i].data_ptr() for s in self.state)
            t.average = self.average[i].data_ptr() if ema_decay > 0 else None
            t.weight_type = t.gradient_type = TYPES[p.dtype]
            t.decays = 1
        options = Options(rule=b"adamw", constants=(betas[1], eps), max_norm=max_norm)
        index = self.device.index or 0 if self.device.type == "cuda" else -1
        self.handle = self.lib.gradus_epilogue_new(table, len(table), byref(options), index)
        self.check(0 if self.handle else -1)

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.lib.gradus_epilogue_error().decode())

    def stream(self):
        return torch.cuda.current_stream().cuda_stream if self.device.type == "cuda" else None

    def zero_grad(self):
        for p in self.parameters:
            p.grad.zero_()

    def step(self):
        # The average begins as a copy of the weights after the first step.
        rates = Rates(self.lr, self.beta1, self.weight_decay, self.ema_decay if self.steps else 0)
        self.check(self.lib.gradus_epilogue_step(self.handle, byref(rates), self.stream()))
        self.steps += 1

    def read(self):
        state = State()
        self.check(self.lib.gradus_epilogue_read(self.handle, byref(state)))
        return state

    def __del__(self):
        if getattr(self, "handle", None):
            self.lib.gradus_epilogue_free(self.handle)


def train(make, device):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    net.to(device)
    x = torch.randn(256, 20, device=device)
    y = x.square().mean(1, keepdim=True)
    step = make(list(net.parameters()))
    for _ in range(50):
        loss = step(lambda: torch.nn.functional.mse_loss(net(x), y))
    return loss.item(), torch.cat([p.detach().flatten() for p in net.parameters()])


def with_torch(parameters):
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)

    def step(loss_of):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.1)
        optimizer.step()
        return loss
    return step


def with_gradus(library):
    def make(parameters):
        optimizer = AdamW(library, parameters, lr=1e-2, max_norm=0.1, ema_decay=0.99)

        def step(loss_of):
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            optimizer.step()
            return loss
        return step
    return make


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} libgradus.so [cpu|cuda]")
    device = sys.argv[2] if len(sys.argv) == 3 else "cpu"
    loss_a, a = train(with_torch, device)
    loss_b, b = train(with_gradus(sys.argv[1]), device)
    print(f"loss after 50 steps: torch {loss_a:.6f}, gradus {loss_b:.6f}")
    print(f"largest difference of a weight: {(a - b).abs().max().item():.2e}")
    assert (a - b).abs().max() < 1e-4
