"""The numbers both sides compute on; data.h has the same functions."""
import torch


def hashed(stream, n):
    """A hash of (stream, element), 32 bits in int64."""
    mask = 0xFFFFFFFF
    h = (torch.arange(n, dtype=torch.int64) + stream * 0x9E3779B1) & mask
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & mask
    h = ((h ^ (h >> 15)) * 0x846CA68B) & mask
    return h ^ (h >> 16)


def uniform(stream, shape, dtype, scale=1.0, shift=0.0):
    n = 1
    for s in shape:
        n *= s
    u = (hashed(stream, n) >> 8).to(torch.float64) / 8388608.0 - 1
    return (u * scale + shift).to(torch.float32).to(dtype).reshape(shape)


def indices(stream, shape, n):
    count = 1
    for s in shape:
        count *= s
    return (hashed(stream, count) % n).reshape(shape)


def sample(t):
    flat = t.detach().reshape(-1)
    count = min(64, flat.numel())
    at = torch.arange(count) * flat.numel() // count
    return flat[at].double().tolist()


def fill_parameters(model, dtype):
    for k, (name, p) in enumerate(model.named_parameters()):
        if p.dim() > 1:
            value = uniform(100 + k, p.shape, dtype, (p.numel() // p.shape[0]) ** -0.5)
        else:
            value = uniform(100 + k, p.shape, dtype, 0.1, 1.0 if name.endswith("weight") else 0.0)
        p.data = value
