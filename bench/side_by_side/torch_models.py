"""The models of the comparison in PyTorch; side_by_side/models.h has the same ones."""
import math

import torch
import torch.nn.functional as F
from torch import nn


def mlp(hidden):
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn(first, second, kernel, hidden):
    pad = kernel // 2
    layers = [nn.Conv2d(1, first, kernel, padding=pad), nn.ReLU(), nn.MaxPool2d(2),
              nn.Conv2d(first, second, kernel, padding=pad), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    width = second * 7 * 7
    layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 10)] if hidden else [nn.Linear(width, 10)]
    return nn.Sequential(*layers)


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    t = q.shape[-2]
    mask = torch.ones(t, t, dtype=torch.bool).tril()
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v


class Block(nn.Module):
    """A pre-norm transformer block with causal attention."""

    def __init__(self, c, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(c), nn.LayerNorm(c)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.up, self.down = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.heads, c // self.heads).transpose(1, 2)
                   for z in self.qkv(self.ln1(x)).chunk(3, -1))
        x = x + self.out(attend(q, k, v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    """Token and place embeddings, blocks, a norm, and a head of its own."""

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
