"""A search over learning rate and width with Optuna; trials that go badly are ended early.

    pip install optuna
    python3 examples/search/optuna_search.py build/release/gradus

Each trial is a process: `gradus train --trial N` writes one JSON line for each validation, and
SIGTERM ends it without a checkpoint. Nothing of Gradus is imported.
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import optuna

program = sys.argv[1]
trials = int(sys.argv[2]) if len(sys.argv) > 2 else 20
config = pathlib.Path(__file__).resolve().parents[1] / "digits.toml"
runs = pathlib.Path(tempfile.mkdtemp(prefix="search_"))


def objective(trial):
    settings = {
        "optim.lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "model.hidden": f"[{trial.suggest_int('width', 8, 256, log=True)}]",
        "trainer.max_epochs": 8,
        "run.base": f"'{runs}'",
    }
    command = [program, "train", config, "--trial", str(trial.number)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    result = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["event"] == "report":
                trial.report(float(event["value"]), event["step"])
                if trial.should_prune():
                    process.send_signal(signal.SIGTERM)
            elif event["event"] == "result":
                result = event
    if process.returncode != 0:
        raise RuntimeError(f"{command} ended with status {process.returncode}")
    if result["status"] == "pruned":
        raise optuna.TrialPruned()
    return float(result["best/valid/loss"])


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=0),
                            pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
study.optimize(objective, n_trials=trials)
pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials)
print(f"{len(study.trials)} trials, {pruned} pruned; best valid/loss {study.best_value:.4f} with "
      f"{study.best_params}; runs in {runs}")
