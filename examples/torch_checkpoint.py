"""A checkpoint of Gradus in PyTorch, and one of PyTorch in Gradus: weights and optimizer state.

    pip install torch safetensors

    import torch_checkpoint
    torch_checkpoint.load("runs/run_0/checkpoints/step_000000690", model, optimizer)
    ...                                                      # trains on in PyTorch
    torch_checkpoint.save("from_torch", model, optimizer)

    gradus train my.toml --set checkpoint.warm_start.path=from_torch \
                         --set checkpoint.warm_start.optimizer=true

`model` has the parameter names of the configuration's model, whose table `gradus train` prints at its
start: torch.nn.Sequential for mlp and cnn. `optimizer` is torch.optim's of optim.type. Its rates and
other settings stay as they are: in both directions they belong to the run that goes on.
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file

STATE = "optimizer/main.safetensors"  # its names: state.<parameter>.<torch.optim's own name>


def _named(model, optimizer):
    """(name, parameter) of everything the optimizer moves."""
    names = {id(p): name for name, p in model.named_parameters()}
    for group in optimizer.param_groups:
        for p in group["params"]:
            if id(p) not in names:
                raise ValueError("the optimizer moves a tensor that is no parameter of the model")
            yield names[id(p)], p


def load(checkpoint, model, optimizer=None, average=False):
    """Fills model and optimizer from a checkpoint's directory; average: the averaged weights.

    Raises RuntimeError if names or shapes differ, KeyError if a parameter's state is missing.
    """
    checkpoint = pathlib.Path(checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    if average:  # holds the averaged tensors only
        weights.update(load_file(checkpoint / "ema.safetensors"))
    model.load_state_dict(weights)
    if optimizer is None:
        return
    stored = load_file(checkpoint / STATE)
    found = {}
    for name, p in _named(model, optimizer):
        prefix = f"state.{name}."
        parts = {key[len(prefix):]: t for key, t in stored.items() if key.startswith(prefix)}
        if not parts:
            raise KeyError(f"{checkpoint / STATE} has no state of {name}")
        parts.pop("master", None)  # the f32 weight behind a half one
        parts["step"] = parts["step"].to(torch.float32)  # PyTorch counts in floats
        found[p] = {key: t.to(p.device) for key, t in parts.items()}
    optimizer.state.update(found)


def save(folder, model, optimizer=None):
    """Writes a folder that checkpoint.warm_start.path takes, with warm_start.optimizer if given."""
    folder = pathlib.Path(folder)
    (folder / "optimizer").mkdir(parents=True, exist_ok=True)
    weights = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    if optimizer is None:
        return
    stored = {}
    for name, p in _named(model, optimizer):
        for key, value in optimizer.state[p].items():
            t = torch.as_tensor(value)
            if key == "step":
                t = t.to(torch.int64)
            stored[f"state.{name}.{key}"] = t.detach().cpu().contiguous()
    save_file(stored, folder / STATE)
