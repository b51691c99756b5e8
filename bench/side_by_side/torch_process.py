"""What a PyTorch process costs: `start` ends with its first backward, `train` after 100 steps of the MLP with
batches of 32. Prints its peak memory."""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

if sys.argv[1] == "start":
    x = torch.ones(8, 8, requires_grad=True)
    torch.tanh(x).sum().backward()
else:
    model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    x, y = torch.randn(32, 784), torch.randint(10, (32,))
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
peak = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmHWM"))
print(json.dumps({"megabytes": int(peak.split()[1]) / 1024}))
