"""Trains the digits and reads the event files back with TensorBoard's own library.

    python3 -m venv v && v/bin/pip install tensorboard numpy
    v/bin/python tests/ecosystem/tensorboard_reads.py build/release/gradus

Tested with tensorboard 2.21.0.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

program = sys.argv[1]
source = pathlib.Path(__file__).resolve().parents[2]


def check(what, got, expected):
    if got != expected:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


with tempfile.TemporaryDirectory() as folder:
    run = pathlib.Path(folder) / "run"
    settings = {
        "run.directory": run,
        "trainer.max_epochs": 4,
        "log.tensorboard": "true",
        "log.every_n_steps": 10,
        "log.histograms_every_n_steps": 40,
    }
    command = [program, "train", source / "examples" / "digits.toml"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    # A second start: its rows follow in a file of their own.
    subprocess.run(
        [program, "resume", run, "--set", "trainer.max_epochs=6"],
        check=True,
        stdout=subprocess.DEVNULL,
    )

    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "histograms": 0, "images": 0,
                                                       "tensors": 0, "compressedHistograms": 0})
    events.Reload()
    tags = events.Tags()

    # Every scalar of metrics.jsonl is there, under its name and at its step, once.
    rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
    names = sorted({n for row in rows for n in row} - {"event", "step", "epoch"})
    shown = [t for t in tags["scalars"] if not t.startswith("timing/")]
    check("scalar tags", sorted(shown), names)
    for name in names:
        expected = [(row["step"], row[name]) for row in rows if name in row]
        got = [(e.step, e.value) for e in events.Scalars(name)]
        check(f"steps of {name}", [s for s, _ in got], [s for s, _ in expected])
        for (_, a), (_, b) in zip(got, expected):
            if abs(a - b) > 1e-6 * max(1.0, abs(b)):
                sys.exit(f"{name}: {a} is not {b}")

    check("histograms", len(tags["histograms"]), 8)
    for tag in tags["histograms"]:
        for event in events.Histograms(tag):
            value = event.histogram_value
            check(f"buckets of {tag}", sum(value.bucket), value.num)
            check(f"edges of {tag}", list(value.bucket_limit), sorted(value.bucket_limit))

    check("images", sorted(tags["images"]), ["inputs", "test/inputs", "valid/inputs"])
    for tag in tags["images"]:
        for image in events.Images(tag):
            check(f"PNG of {tag}", image.encoded_image_string[:8], b"\x89PNG\r\n\x1a\n")
            check(f"size of {tag}", (image.height, image.width), (38, 38))

    config = tensor_util.make_ndarray(events.Tensors("config/text_summary")[0].tensor_proto)
    check("config text", config.shape, (1,))
    if b'lr = 0.003' not in config[0]:
        sys.exit("the configuration's text has no optim.lr")

    plugin = events.PluginTagToContent("hparams")
    experiment = metadata.parse_experiment_plugin_data(plugin["_hparams_/experiment"])
    start = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"])
    end = metadata.parse_session_end_info_plugin_data(plugin["_hparams_/session_end_info"])
    check("optim.lr", start.hparams["optim.lr"].number_value, 0.003)
    check("optim.type", start.hparams["optim.type"].string_value, "adamw")
    check("hparam names", {h.name for h in experiment.hparam_infos}, set(start.hparams))
    check("metric", experiment.metric_infos[-1].name.tag, "valid/loss")
    check("status", end.status, 1)

    print(f"{len(names)} scalars, {len(tags['histograms'])} histograms, {len(tags['images'])} "
          "images, texts and hyperparameters read back")
