"""A value that cannot be trained, in the middle of an axis: said before the first step."""

import pytest
from safetensors.torch import save_file

from specbp.experiment import Experiment
from specbp.network.models import build
from tests.cli.inside import specbp
from tests.cli.test_fuzz import toml

SPECULATIVE = {"schedule": "speculative"}
INT16 = {"arithmetic": "int16"}
AXES = {
    "dataset": ({}, ["digits", "mnist", "random:1x8x8/10"]),
    "train": ({}, [20, 10**9, 30]),
    "test": ({}, [10, 10**9, 12]),
    "subset_seed": ({}, [0, 2**63, 1]),
    "model": ({}, ["digits-cnn", "lenet5", "mine:net"]),
    "arithmetic": ({"weight_decay": 1e9}, ["float32", "int16", "float32"]),
    "batch_size": ({}, [10, 21, 5]),
    "epochs": ({}, [1, 0, 2]),
    "learning_rate": (INT16, [0.05, 1000.0, 0.1]),
    "learning_rate_decay": ({}, ["constant", "line", "cosine"]),
    "learning_rate_warmup": ({}, [0.0, 1.0, 0.5]),
    "momentum": ({}, [0.9, 1.0, 0.5]),
    "nesterov": (INT16, [False, True, False]),
    "weight_decay": (INT16, [0.0, 1e9, 0.001]),
    "seed": ({}, [0, 2**43, 1]),
    "sampler": ({}, ["random", "block", "blocks"]),
    "block_keys": ({"sampler": "blocks"}, [2, 0, 5]),
    "held_out": ({"test": None}, [5, 10**6, 6]),
    "backend": ({}, ["cpu", "cuda:99", "sim:model"]),
    "lanes": ({"backend": "sim:model"}, [16, 12, 32]),
    "schedule": ({"batch_size": 1}, ["sequential", "data-parallel", "pipelined"]),
    "key": (SPECULATIVE | {"epochs": 2}, ["label", "labels", "bucket"]),
    "buckets": (SPECULATIVE | {"key": "bucket", "epochs": 2}, [2, 0, 3]),
    "reuse": (SPECULATIVE, ["outcomes", "outcome", "replay"]),
    "refresh": (SPECULATIVE, [0, 99, 1]),
    "weight_prediction": (SPECULATIVE | {"momentum": 0.0}, [False, True, False]),
    "warmup_epochs": (SPECULATIVE, [0, 5, 0]),
    "max_age": (SPECULATIVE, [1, 0, 2]),
    "gate_metric": (SPECULATIVE, ["max", "min", "tv"]),
    "gate_threshold": (SPECULATIVE, [0.1, 2.0, 0.2]),
    "gate_target": (SPECULATIVE, [0.1, 1.0, 0.5]),
    "balanced": (SPECULATIVE, [True, "half", False]),
    "skip_loss": ({"schedule": "selective"}, [0.1, -1.0, 0.2]),
    "engines": (SPECULATIVE, [1, 3, 2]),
    "threads": ({}, [1, 10**6, 1]),
    "block_steps": ({}, [1, 0, 2]),
    "initial_weights": ({}, ["0.safetensors", "nowhere.safetensors", "1.safetensors"]),
    "scheduler": ({}, ["StepLR(step_size=1)", "NoSuchLR()", "ConstantLR()"]),
    "label_smoothing": ({}, [0.1, 1.5, 0.2]),
    "random_flip": ({}, [True, "half", True]),
    "random_crop": ({}, [1, 0, 2]),
    "cutout": ({}, [1, 0, 2]),
}
"""For every field what else a cell has, and an axis whose value in the middle is bad."""
MODEL = """
from torch import nn
def net(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
"""
SMALL = {"train": 20, "test": 10, "batch_size": 10, "epochs": 1}


def test_every_field_has_an_axis():
    assert set(AXES) == set(Experiment.model_fields)


@pytest.mark.parametrize("name", AXES)
def test_nothing_is_trained_of_an_axis_with_a_bad_value(tmp_path, monkeypatch, name):
    """Kind: one cell trains, then the next is refused, and again the same on resume; every field,
    refused by its form, beside others, with its data, its model, its backend or this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECBP_DATA", "nowhere")
    (tmp_path / "mine.py").write_text(MODEL)
    for seed in range(2):
        model = build("digits-cnn", 1, 10, seed)
        save_file(model.state_dict(), tmp_path / f"{seed}.safetensors")
    fields, (first, bad, last) = AXES[name]
    base = {key: value for key, value in (SMALL | fields).items() if value is not None}
    base.pop(name, None)
    for values, fine in (([first, last], True), ([first, bad, last], False)):
        (tmp_path / "m.toml").write_text(f"base = {toml(base)}\naxes.{name} = {toml(values)}\n")
        code, _, error = specbp("bench", "m.toml", *(["--dry-run"] if fine else []))
        assert code == (0 if fine else 2), error
    assert "m.toml" in error or str(bad) in error or name in error
    trained = [*tmp_path.glob("results/m/cells/*"), *tmp_path.glob("results/m/unfinished/*")]
    assert trained == [], error
