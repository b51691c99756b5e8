"""PyTorch's answers for every layer of nn/, as one safetensors file: first values of a state dict,
inputs, outputs, gradients. tests/nn/test_fixtures.cpp loads the state dict into our layer and compares.

    python3 tests/oracle/make_nn_fixtures.py                 writes tests/oracle/nn.safetensors
    python3 tests/oracle/make_nn_fixtures.py --check FILE    loads the state dicts that test_fixtures.cpp
        wrote to FILE (GRADUS_CHECK_FILE=FILE) into PyTorch's layers, strictly, and compares every bit

Needs torch >= 2.4 and safetensors. Keys: CASE/in.0, CASE/out.0, CASE/dy, CASE/dx.0, CASE/state.KEY,
CASE/grad.KEY, and CASE/after.KEY for buffers that the forward pass changed. The metadata hold the order
of the keys and the printed form.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def classes(high, *shape):
    return torch.randint(0, high, shape)


def causal(n):
    return torch.full((n, n), float("-inf"), dtype=torch.float64).triu(1)


class AttentionCase:
    def __init__(self, module, query, key=None, value=None, **options):
        self.module, self.options = module, options
        self.inputs = [t for t in (query, key, value) if t is not None]

    def run(self, inputs):
        q = inputs[0]
        k, v = (inputs[1], inputs[2]) if len(inputs) == 3 else (q, q)
        return self.module(q, k, v, **self.options)


class Case:
    def __init__(self, module, *inputs, train=True, **options):
        self.module, self.inputs, self.options = module, inputs, options
        module.train(train)

    def run(self, inputs):
        out = self.module(*inputs, **self.options)
        if isinstance(out, tuple) and len(out) == 2 and isinstance(out[1], tuple):  # LSTM
            return out[0], *out[1]
        return out


def shaken(module):
    """First values that differ from 0 and 1 everywhere, so that no term hides."""
    for p in module.parameters():
        if p.dim() < 2:
            with torch.no_grad():
                p.add_(torch.randn_like(p) * 0.3)
    for name, b in module.named_buffers():
        if name.endswith("running_mean"):
            b.normal_()
        if name.endswith("running_var"):
            b.uniform_(0.5, 2)
    return module


def make_cases():
    torch.manual_seed(2024)
    torch.set_default_dtype(torch.float64)
    encoder = dict(d_model=8, nhead=2, dim_feedforward=12, dropout=0.0)
    cases = {
        "linear": Case(nn.Linear(5, 3), normal(4, 5)),
        "linear_no_bias": Case(nn.Linear(5, 3, bias=False), normal(2, 3, 5)),
        "conv1d": Case(nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), normal(2, 4, 9)),
        "conv2d": Case(nn.Conv2d(3, 4, 3, padding=1), normal(2, 3, 6, 5)),
        "conv2d_options": Case(
            nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2, bias=False),
            normal(2, 4, 7, 6)),
        "batch_norm1d": Case(nn.BatchNorm1d(4), normal(6, 4)),
        "batch_norm1d_sequence": Case(nn.BatchNorm1d(4, affine=False), normal(3, 4, 5)),
        "batch_norm2d": Case(nn.BatchNorm2d(3, momentum=0.3, eps=1e-3), normal(4, 3, 3, 2)),
        "batch_norm2d_evaluation": Case(nn.BatchNorm2d(3), normal(2, 3, 2, 2), train=False),
        "batch_norm2d_cumulative": Case(nn.BatchNorm2d(3, momentum=None), normal(2, 3, 2, 2)),
        "batch_norm2d_untracked": Case(nn.BatchNorm2d(3, track_running_stats=False), normal(2, 3, 2, 2), train=False),
        "layer_norm": Case(nn.LayerNorm(6), normal(3, 4, 6)),
        "layer_norm_plain": Case(nn.LayerNorm((4, 6), elementwise_affine=False), normal(3, 4, 6)),
        "layer_norm_no_bias": Case(nn.LayerNorm((4, 6), eps=1e-3, bias=False), normal(3, 4, 6)),
        "rms_norm": Case(nn.RMSNorm(6), normal(3, 4, 6)),
        "rms_norm_eps": Case(nn.RMSNorm((4, 6), eps=1e-2), normal(3, 4, 6)),
        "instance_norm2d": Case(nn.InstanceNorm2d(3, affine=True), normal(2, 3, 4, 3)),
        "group_norm": Case(nn.GroupNorm(2, 6), normal(3, 6, 4)),
        "embedding": Case(nn.Embedding(7, 4), classes(7, 3, 5)),
        "embedding_padding": Case(nn.Embedding(7, 4, padding_idx=2), classes(7, 6, 4)),
        "prelu": Case(nn.PReLU(3), normal(2, 3, 4)),
        "max_pool2d": Case(nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), normal(2, 2, 6, 7)),
        "max_pool1d": Case(nn.MaxPool1d(2), normal(2, 2, 7)),
        "avg_pool2d": Case(nn.AvgPool2d((3, 2), padding=1, count_include_pad=False), normal(2, 2, 6, 7)),
        "avg_pool1d": Case(nn.AvgPool1d(3, stride=2, padding=1), normal(2, 2, 7)),
        "adaptive_avg_pool2d": Case(nn.AdaptiveAvgPool2d((3, 2)), normal(2, 2, 5, 7)),
        "adaptive_avg_pool1d": Case(nn.AdaptiveAvgPool1d(3), normal(2, 2, 7)),
        "adaptive_max_pool2d": Case(nn.AdaptiveMaxPool2d(2), normal(2, 2, 5, 7)),
        "attention": AttentionCase(nn.MultiheadAttention(8, 2), normal(5, 3, 8)),
        "attention_mask": AttentionCase(
            nn.MultiheadAttention(8, 4, batch_first=True, bias=False), normal(2, 5, 8),
            attn_mask=causal(5), average_attn_weights=False),
        "attention_padding": AttentionCase(
            nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True), normal(2, 3, 8), normal(2, 5, 6),
            normal(2, 5, 4), key_padding_mask=torch.arange(10).view(2, 5) % 5 > 2),
        "attention_single": AttentionCase(nn.MultiheadAttention(8, 2), normal(5, 8)),
        "encoder_layer": Case(nn.TransformerEncoderLayer(**encoder), normal(5, 2, 8)),
        "encoder_layer_first": Case(
            nn.TransformerEncoderLayer(**encoder, activation="gelu", norm_first=True, batch_first=True),
            normal(2, 5, 8), src_mask=causal(5)),
        "lstm": Case(nn.LSTM(4, 3), normal(5, 2, 4)),
        "lstm_two": Case(nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True), normal(2, 5, 4)),
        "gru": Case(nn.GRU(4, 3), normal(5, 2, 4)),
        "gru_two": Case(nn.GRU(4, 3, num_layers=2, bidirectional=True, batch_first=True, bias=False), normal(2, 5, 4)),
        "conv3d": Case(
            nn.Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 1), padding=(1, 1, 0), dilation=(2, 1, 1), groups=2),
            normal(2, 2, 4, 5, 3)),
        "conv_transpose1d": Case(
            nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), normal(2, 4, 5)),
        "conv_transpose2d": Case(
            nn.ConvTranspose2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0),
                               dilation=(1, 2)), normal(2, 3, 3, 4)),
        "conv_transpose2d_no_bias": Case(nn.ConvTranspose2d(2, 3, 2, bias=False), normal(2, 2, 3, 3)),
        "instance_norm2d_running": Case(
            nn.InstanceNorm2d(3, momentum=0.3, track_running_stats=True), normal(2, 3, 4, 3)),
        "instance_norm2d_evaluation": Case(
            nn.InstanceNorm2d(3, affine=True, track_running_stats=True), normal(2, 3, 4, 3), train=False),
        "upsample": Case(nn.Upsample(scale_factor=2.0), normal(2, 3, 2, 3)),
        "upsample_bilinear": Case(nn.Upsample(size=(5, 4), mode="bilinear"), normal(2, 3, 2, 3)),
        "nested": Case(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(),
                                     nn.Sequential(nn.Linear(8, 4), nn.GELU(approximate="tanh"))),
                       normal(3, 1, 4, 4)),
        "conv1d_same": Case(nn.Conv1d(2, 3, 4, padding="same", dilation=3), normal(2, 2, 9)),
        "conv2d_same": Case(nn.Conv2d(2, 4, (2, 3), padding="same", groups=2), normal(2, 2, 5, 4)),
        "conv3d_same": Case(nn.Conv3d(1, 2, (2, 3, 4), padding="same"), normal(2, 1, 3, 4, 5)),
        "conv1d_circular": Case(nn.Conv1d(2, 3, 3, stride=2, padding=2, padding_mode="circular"), normal(2, 2, 7)),
        "conv2d_reflect": Case(
            nn.Conv2d(2, 3, (3, 2), padding=(2, 1), padding_mode="reflect", bias=False), normal(2, 2, 5, 4)),
        "conv2d_replicate_same": Case(
            nn.Conv2d(2, 3, (4, 3), padding="same", padding_mode="replicate"), normal(2, 2, 5, 4)),
        "conv3d_replicate": Case(
            nn.Conv3d(1, 2, 2, padding=(1, 0, 2), padding_mode="replicate"), normal(1, 1, 3, 4, 3)),
        "spectral_norm": Case(nn.utils.spectral_norm(nn.Linear(5, 3)), normal(4, 5)),
        "spectral_norm_conv2d": Case(
            nn.utils.spectral_norm(nn.Conv2d(2, 4, 3, padding=1), n_power_iterations=3), normal(2, 2, 4, 3)),
        "spectral_norm_transpose": Case(
            nn.utils.spectral_norm(nn.ConvTranspose2d(2, 3, 2, bias=False)), normal(2, 2, 3, 3)),
        "spectral_norm_embedding": Case(nn.utils.spectral_norm(nn.Embedding(6, 3), dim=1), classes(6, 4, 2)),
        "spectral_norm_evaluation": Case(nn.utils.spectral_norm(nn.Conv1d(2, 3, 2)), normal(2, 2, 4), train=False),
    }
    for case in cases.values():
        shaken(case.module)
    return cases


def write(path):
    tensors, about = {}, {}

    def put(key, t):
        tensors[key] = t.detach().clone().contiguous()

    for name, case in make_cases().items():
        state = case.module.state_dict()
        about[name] = {"keys": list(state), "repr": repr(case.module).replace("NonDynamicallyQuantizableLinear", "Linear")}
        for key, t in state.items():
            put(f"{name}/state.{key}", t)
        inputs = [t.clone().requires_grad_() if t.is_floating_point() else t for t in case.inputs]
        for i, t in enumerate(inputs):
            put(f"{name}/in.{i}", t)
        out = case.run(inputs)
        out = [t for t in (out if isinstance(out, tuple) else (out,)) if t is not None]
        for i, t in enumerate(out):
            put(f"{name}/out.{i}", t)
        dy = torch.randn_like(out[0])
        put(f"{name}/dy", dy)
        out[0].backward(dy)
        for i, t in enumerate(inputs):
            if t.grad is not None:
                put(f"{name}/dx.{i}", t.grad)
        for key, p in case.module.named_parameters():
            put(f"{name}/grad.{key}", p.grad)
        for key, b in case.module.named_buffers():
            put(f"{name}/after.{key}", b)
    save_file(tensors, path, {"format": "pt", "cases": json.dumps(about), "torch": torch.__version__})
    print(f"{path}: {len(about)} cases, {len(tensors)} tensors, {path.stat().st_size} bytes")


def check(path):
    """What was written from our layers loads strictly and is what PyTorch had, bit for bit."""
    cases, compared = make_cases(), 0
    with safe_open(path, "pt") as ours, safe_open(HERE / "nn.safetensors", "pt") as theirs:
        names = {key.split("/")[0] for key in ours.keys()}
        for name in sorted(names):
            state = {key.split("/", 1)[1]: ours.get_tensor(key) for key in ours.keys() if key.split("/")[0] == name}
            cases[name].module.load_state_dict(state, strict=True)
            for key, t in cases[name].module.state_dict().items():
                want = theirs.get_tensor(f"{name}/state.{key}")
                assert t.dtype == want.dtype and t.shape == want.shape, (name, key)
                assert t.numpy().tobytes() == want.numpy().tobytes(), (name, key)
                compared += 1
    print(f"{len(names)} modules load strictly, {compared} tensors are the same bits")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(Path(sys.argv[2]))
    elif len(sys.argv) == 1:
        write(HERE / "nn.safetensors")
    else:
        sys.exit(__doc__)
