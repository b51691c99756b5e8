"""PyTorch's answers for the models a configuration can name, as one safetensors file: state dicts, inputs,
outputs and gradients. tests/trainer/test_model_fixtures.cpp builds each model from its TOML text, loads the
state dict strictly and compares.

    python3 tests/oracle/make_model_fixtures.py        writes tests/oracle/models.safetensors

Needs torch >= 2.4 and safetensors. The classes below are plain PyTorch with the keys that the well-known
versions of these models have: nanoGPT's for gpt, torchvision's for vit, the word language model of PyTorch's
examples for lstm, the common U-Net with bilinear upsampling, the common ResNet-9 without convolution biases.
Keys: CASE/in, CASE/out (train mode, no dropout), CASE/eval, CASE/dy, CASE/state.KEY, CASE/grad.KEY.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent


def conv_block(i, o, pool=False):
    layers = [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


class ResNet9(nn.Module):
    def __init__(self, channels, classes, w):
        super().__init__()
        self.conv1, self.conv2 = conv_block(channels, w), conv_block(w, 2 * w, True)
        self.res1 = nn.Sequential(conv_block(2 * w, 2 * w), conv_block(2 * w, 2 * w))
        self.conv3, self.conv4 = conv_block(2 * w, 4 * w, True), conv_block(4 * w, 8 * w, True)
        self.res2 = nn.Sequential(conv_block(8 * w, 8 * w), conv_block(8 * w, 8 * w))
        self.classifier = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * w, classes))

    def forward(self, x):
        y = self.conv2(self.conv1(x))
        y = self.conv4(self.conv3(self.res1(y) + y))
        return self.classifier(self.res2(y) + y)


class DoubleConv(nn.Module):
    def __init__(self, i, o, mid=None):
        super().__init__()
        mid = mid or o
        self.double_conv = nn.Sequential(
            nn.Conv2d(i, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(i, o))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = DoubleConv(i, o, i // 2)

    def forward(self, x, beside):
        return self.conv(torch.cat([beside, self.up(x)], 1))


class OutConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    """Of depth 2; the well-known one has depth 4."""
    def __init__(self, channels, outputs, w):
        super().__init__()
        self.inc = DoubleConv(channels, w)
        self.down1, self.down2 = Down(w, 2 * w), Down(2 * w, 4 * w // 2)
        self.up1, self.up2 = Up(4 * w, 2 * w // 2), Up(2 * w, w)
        self.outc = OutConv(w, outputs)

    def forward(self, x):
        a = self.inc(x)
        b = self.down1(a)
        return self.outc(self.up2(self.up1(self.down2(b), b), a))


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.c_attn, self.c_proj = heads, nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (p.view(n, t, self.heads, -1).transpose(1, 2) for p in self.c_attn(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(n, t, c))


class GPTMlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x)))


class GPTBlock(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = nn.LayerNorm(c), Attention(c, heads), nn.LayerNorm(c), GPTMlp(c)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, c):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(vocabulary, c), wpe=nn.Embedding(context, c),
            h=nn.ModuleList([GPTBlock(c, heads) for _ in range(layers)]), ln_f=nn.LayerNorm(c)))
        self.lm_head = nn.Linear(c, vocabulary, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, tokens):
        x = self.transformer.wte(tokens) + self.transformer.wpe(torch.arange(tokens.shape[1]))
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


class SequenceLSTM(nn.Module):
    def __init__(self, inputs, hidden, layers, outputs, vocabulary=0, embedding=0):
        super().__init__()
        if vocabulary:
            self.encoder = nn.Embedding(vocabulary, embedding)
        self.vocabulary = vocabulary
        self.rnn = nn.LSTM(embedding or inputs, hidden, layers, batch_first=True)
        self.decoder = nn.Linear(hidden, outputs)

    def forward(self, x):
        if self.vocabulary:
            return self.decoder(self.rnn(self.encoder(x))[0])
        return self.decoder(self.rnn(x)[0][:, -1])


class EncoderBlock(nn.Module):
    def __init__(self, c, heads, mlp):
        super().__init__()
        self.ln_1 = nn.LayerNorm(c, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(c, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(c, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(c, mlp), nn.GELU(), nn.Dropout(0.0), nn.Linear(mlp, c), nn.Dropout(0.0))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, patches, c, heads, mlp, layers):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.randn(1, patches, c) * 0.02)
        self.layers = nn.Sequential()
        for i in range(layers):
            self.layers.add_module(f"encoder_layer_{i}", EncoderBlock(c, heads, mlp))
        self.ln = nn.LayerNorm(c, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class VisionTransformer(nn.Module):
    def __init__(self, channels, h, w, patch, layers, heads, c, mlp, outputs):
        super().__init__()
        self.conv_proj = nn.Conv2d(channels, c, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, c))
        self.encoder = Encoder(h // patch * (w // patch) + 1, c, heads, mlp, layers)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(c, outputs))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = self.encoder(torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1))
        return self.heads(x[:, 0])


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))


def cnn():
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))


def layers():
    return nn.Sequential(nn.Conv2d(2, 4, 3, stride=2), nn.GroupNorm(2, 4), nn.SiLU(), nn.AvgPool2d(3), nn.Flatten(),
                         nn.Linear(4, 6), nn.LayerNorm(6), nn.Mish(), nn.Linear(6, 3))


def cases():
    """name: (model, its TOML, input, vocabulary, outputs)"""
    x = torch.randn
    tokens = torch.randint(0, 11, (3, 6))
    return {
        "mlp": (mlp(), "type = 'mlp'\nhidden = [7, 5]", x(4, 1, 3, 4), 0, 3),
        "cnn": (cnn(), "type = 'cnn'\nchannels = [3, 4]\nhidden = [5]\nbatch_norm = true", x(4, 2, 8, 8), 0, 3),
        "layers": (layers(), "layers = [{type = 'conv2d', out = 4, stride = 2}, {type = 'group_norm', groups = 2}, "
                   "'silu', {type = 'avg_pool2d', kernel = 3}, 'flatten', {type = 'linear', out = 6}, 'layer_norm', "
                   "'mish', {type = 'linear', out = 3}]", x(3, 2, 8, 8), 0, 3),
        "resnet9": (ResNet9(3, 4, 2), "type = 'resnet9'\nwidth = 2", x(3, 3, 16, 8), 0, 4),
        "unet": (UNet(2, 3, 2), "type = 'unet'\nwidth = 2\ndepth = 2", x(2, 2, 8, 12), 0, 3),
        "gpt": (GPT(11, 8, 2, 2, 8), "type = 'gpt'\ncontext = 8\ndepth = 2\nheads = 2\nwidth = 8", tokens, 11, 11),
        "lstm": (SequenceLSTM(5, 6, 2, 3), "type = 'lstm'\nhidden = 6\ndepth = 2", x(3, 4, 5), 0, 3),
        "lstm_tokens": (SequenceLSTM(0, 6, 1, 11, 11, 4), "type = 'lstm'\nembedding = 4\nhidden = 6\ndepth = 1",
                        tokens, 11, 11),
        "vit": (VisionTransformer(3, 8, 12, 4, 2, 2, 8, 12, 4),
                "type = 'vit'\npatch = 4\ndepth = 2\nheads = 2\nhidden = 8\nmlp = 12", x(2, 3, 8, 12), 0, 4),
    }


def main():
    torch.manual_seed(66)
    torch.set_default_dtype(torch.float64)
    tensors, about = {}, {}
    for name, (model, toml, x, vocabulary, outputs) in cases().items():
        for p in model.parameters():  # first values that differ from 0 and 1 everywhere
            with torch.no_grad():
                p.copy_((p + torch.randn_like(p) * 0.2).float())
        about[name] = {"toml": toml, "vocabulary": vocabulary, "outputs": outputs,
                       "keys": list(model.state_dict())}
        for key, t in model.state_dict().items():
            tensors[f"{name}/state.{key}"] = t.clone()
        model.train()
        if not vocabulary:
            x = x.float().double()
        out = model(x)
        dy = torch.randn_like(out).float().double()
        out.backward(dy)
        for key, p in model.named_parameters():
            tensors[f"{name}/grad.{key}"] = p.grad.clone()
        model.eval()
        with torch.no_grad():
            tensors[f"{name}/eval"] = model(x)
        tensors |= {f"{name}/in": x, f"{name}/out": out.detach(), f"{name}/dy": dy}
    # State and inputs were rounded to f32 before they were used, so half the bytes hold them exactly.
    small = {k: t.float() if t.is_floating_point() and ("/state." in k or k.endswith(("/in", "/dy"))) else t
             for k, t in tensors.items()}
    path = HERE / "models.safetensors"
    save_file({k: t.clone().contiguous() for k, t in small.items()}, path,
              {"format": "pt", "cases": json.dumps(about), "torch": torch.__version__})
    print(f"{path}: {len(about)} cases, {len(small)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
