"""Trains the digits in Gradus, then in PyTorch from the checkpoint, then in Gradus from PyTorch's.

    v/bin/pip install torch safetensors numpy
    v/bin/python tests/ecosystem/torch_reads.py build/release/gradus

Every batch is the whole training set, so that a step is the same, up to rounding, whatever the order
of samples: both sides must make the same next steps. Tested with torch 1.13.1 and 2.15.0, safetensors 0.6.2.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

program = sys.argv[1]
source = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(source / "examples"))
import torch_checkpoint  # noqa: E402

RULES = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=1e-2),
    "adam": lambda p: torch.optim.Adam(p, lr=3e-3),
    "sgd": lambda p: torch.optim.SGD(p, lr=3e-2, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2),
}
MORE = {"adamw": "weight_decay = 1e-2", "sgd": "weight_decay = 0\nmomentum = 0.9"}
DIGITS = source / "examples/data/digits.csv.gz"


def fail(text):
    sys.exit(f"torch_reads: {text}")


CONFIG = """
[data.train]
path = "{data}"
batch_size = 1797
transforms = [{{type = "normalize", mean = 4.88, std = 6.02}}]
[model]
type = "mlp"
hidden = [16]
[optim]
type = "{rule}"
lr = {lr}
decay_by_role = false
{more}
[trainer]
training_metric = "none"
[checkpoint]
every_n_steps = 1
keep_all = true
"""


def train(directory, rule, steps, settings=()):
    """What a run of so many steps says."""
    lr = RULES[rule]([torch.zeros(1, requires_grad=True)]).defaults["lr"]
    config = directory.with_suffix(".toml")
    config.write_text(CONFIG.format(data=DIGITS, rule=rule, lr=lr, more=MORE.get(rule, "weight_decay = 0")))
    command = [program, "train", config]
    for setting in [f"run.directory={directory}", f"trainer.max_steps={steps}", *settings]:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        fail(f"{rule}: {done.stderr}")
    return done.stdout


def close(what, got, expected, bound=2e-5):
    worst = max(float((got[k].double() - expected[k].double()).abs().max()) for k in expected)
    if set(got) != set(expected) or worst > bound:
        fail(f"{what}: {sorted(set(got) ^ set(expected))}, largest difference {worst}")
    return worst


def step_of(run, n):
    return run / "checkpoints" / f"step_{n:09d}"


def model_of_digits():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.ReLU(),
                               torch.nn.Linear(16, 10))


def check_rule(rule, folder, x, y):
    run = folder / rule
    train(run, rule, 6)
    model = model_of_digits()
    optimizer = RULES[rule](model.parameters())
    torch_checkpoint.load(step_of(run, 3), model, optimizer)
    worst = 0.0
    for step in (4, 5, 6):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        expected = load_file(step_of(run, step) / "model.safetensors")
        worst = max(worst, close(f"{rule}, step {step}", model.state_dict(), expected))

    # Back, after two of those steps: the third is made here.
    torch_checkpoint.load(step_of(run, 5), model, optimizer)
    torch_checkpoint.save(folder / f"{rule}_torch", model, optimizer)
    kept = load_file(step_of(run, 5) / torch_checkpoint.STATE)
    for key, t in load_file(folder / f"{rule}_torch" / torch_checkpoint.STATE).items():
        if not torch.equal(t, kept[key]):
            fail(f"{rule}: {key} is not what it was")
    said = train(folder / f"{rule}_again", rule, 1,
                 [f"checkpoint.warm_start.path={folder}/{rule}_torch",
                  "checkpoint.warm_start.optimizer=true"])
    if "the optimizer's state of 4 of 4 parameters" not in said:
        fail(f"{rule}: {said}")
    again = load_file(step_of(folder / f"{rule}_again", 1) / "model.safetensors")
    close(f"{rule}, in Gradus again", again, load_file(step_of(run, 6) / "model.safetensors"))
    print(f"{rule}: three steps in PyTorch from a checkpoint differ by {worst:.1e} at most; on "
          "the way back no bit of the state changes")


with gzip.open(DIGITS, "rt") as file:
    table = torch.tensor([[float(v) for v in line.split(",")] for line in file])
with tempfile.TemporaryDirectory() as name:
    for rule in RULES:
        check_rule(rule, pathlib.Path(name), (table[:, :64] - 4.88) / 6.02, table[:, 64].long())
