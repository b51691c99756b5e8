"""Trains the digits and reads the offline run with the wandb package's own reader.

    python3 -m venv v && v/bin/pip install wandb==0.19.11
    v/bin/python tests/ecosystem/wandb_reads.py build/release/gradus

Tested with wandb 0.19.11, the last version line whose reader is in Python.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

program = sys.argv[1]
source = pathlib.Path(__file__).resolve().parents[2]


def check(what, got, expected):
    if got != expected:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


with tempfile.TemporaryDirectory() as folder:
    run = pathlib.Path(folder) / "run"
    settings = ["log.wandb=true", "log.every_n_steps=2", f"run.directory='{run}'"]
    command = [program, "train", source / "examples" / "digits.toml"]
    for setting in settings + ["trainer.max_epochs=20"]:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    command = [program, "resume", run, "--set", "trainer.max_epochs=22"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    files = list((run / "wandb").glob("offline-run-*/run-*.wandb"))
    check("files", len(files), 1)
    store = DataStore()
    store.open_for_scan(str(files[0]))
    records = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(record)
    kinds = [r.WhichOneof("record_type") for r in records]
    check("first records", kinds[:2], ["header", "run"])
    check("last records", kinds[-2:], ["summary", "exit"])
    check("exits", kinds.count("exit"), 1)

    config = {item.key: json.loads(item.value_json) for item in records[1].run.config.update}
    check("optim.lr", config["optim.lr"], 0.003)
    rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
    expected = {}
    for row in rows:
        expected.setdefault(row["step"], {}).update(row)
    history = {}
    for record in records:
        if record.WhichOneof("record_type") == "history":
            values = {item.key: json.loads(item.value_json) for item in record.history.item}
            check("step", record.history.step.num, values["_step"])
            history.setdefault(values["_step"], {}).update(values)
    check("steps", list(history), list(expected))
    for step, row in expected.items():
        for name in set(row) - {"event", "step", "epoch"}:
            check(f"{name} of step {step}", history[step][name], row[name])
    print(f"{files[0].stat().st_size} bytes, {len(history)} rows read back")
