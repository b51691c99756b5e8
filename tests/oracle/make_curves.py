"""Loss curves of three small models in PyTorch's f64 over 200 steps, as tests/oracle/curves.safetensors:
first weights, data and the loss before each step. tests/nn/test_curves.cpp trains the same models.

    python3 tests/oracle/make_curves.py        needs torch and safetensors
"""
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

STEPS, BATCH, ROWS, CLASSES = 200, 8, 64, 4


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(self.layer(x).mean(1))


def main():
    torch.manual_seed(11)
    torch.set_default_dtype(torch.float64)
    models = {
        "mlp": (nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, CLASSES)), (8,),
                lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
        "cnn": (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                              nn.Flatten(), nn.Linear(36, CLASSES)), (1, 6, 6),
                lambda p: torch.optim.Adam(p, lr=0.01)),
        "transformer": (Encoder(), (5, 8), lambda p: torch.optim.AdamW(p, lr=0.003)),
    }
    tensors = {}
    for name, (model, shape, optimizer) in models.items():
        x, y = torch.randn(ROWS, *shape), torch.randint(0, CLASSES, (ROWS,))
        for key, t in model.state_dict().items():
            tensors[f"{name}/state.{key}"] = t.clone()
        step, losses = optimizer(model.parameters()), []
        for s in range(STEPS):
            at = s * BATCH % ROWS
            loss = nn.functional.cross_entropy(model(x[at:at + BATCH]), y[at:at + BATCH])
            step.zero_grad()
            loss.backward()
            step.step()
            losses.append(loss.item())
        tensors |= {f"{name}/x": x, f"{name}/y": y, f"{name}/losses": torch.tensor(losses)}
        print(name, losses[0], losses[-1])
    save_file(tensors, Path(__file__).parent / "curves.safetensors", {"torch": torch.__version__})


main()
