"""Pipelined, label-keyed and weight-predicted trainings against plain oracles, in float64.

Each is what its name says from the first step on, and after a warm-up too: not only fast, and not
only equal to itself.
"""

import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from tests.delayed import DelayedLoop

STEPS_OF_EPOCH = 10
RECIPE = {
    "dataset": "digits",
    "model": "digits-cnn",
    "train": 80,
    "test": 20,
    "batch_size": 8,
    "epochs": 3,
    "learning_rate": 0.02,
    "learning_rate_decay": "cosine",
    "momentum": 0.9,
    "weight_decay": 0.001,
}
LABEL = {"schedule": "speculative", "key": "label"}
ARMS = {
    "pipelined": {"schedule": "pipelined"},
    "pipelined, not balanced": {"schedule": "pipelined", "balanced": False},
    "pipelined, weight prediction": {"schedule": "pipelined", "weight_prediction": True},
    "label key, replay, no gate": {**LABEL, "reuse": "replay", "gate_metric": "none"},
    "label key, replay, gate": {**LABEL, "reuse": "replay", "gate_threshold": 0.02},
    "label key, outcomes, no gate": {**LABEL, "reuse": "outcomes", "gate_metric": "none"},
    "label key, outcomes, gate": {**LABEL, "reuse": "outcomes", "gate_threshold": 0.02},
}


@pytest.fixture(scope="module")
def few_digits():
    return load("digits", train=RECIPE["train"], test=RECIPE["test"])


@pytest.fixture
def both(few_digits, monkeypatch):
    """Opens a training and its oracle in double precision, by the runtime that has it."""
    # The native runtime has float32 only.
    monkeypatch.setattr("specbp.backends.cpu.training.native_is_there", lambda: False)
    normalised = type(few_digits).normalised
    monkeypatch.setattr(type(few_digits), "normalised", lambda *args: normalised(*args).double())
    opened = []

    def open_both(fields):
        experiment = experiment_from(RECIPE | fields)
        torch.set_default_dtype(torch.float64)
        try:
            training, oracle = (make(experiment, few_digits) for make in (CpuTraining, DelayedLoop))
        finally:
            torch.set_default_dtype(torch.float32)
        opened.append(training)
        return training, oracle

    yield open_both
    for training in opened:
        training.close()


@pytest.mark.parametrize("warmup", [0, 1])
@pytest.mark.parametrize("arm", ARMS)
def test_it_trains_as_the_oracle_does(both, arm, warmup):
    """Kind: a schedule that computes something else than it says, at once or after a warm-up."""
    training, oracle = both({**ARMS[arm], "warmup_epochs": warmup})
    steps = 2 * STEPS_OF_EPOCH + 5
    rows, expected = training.advance(steps), oracle.advance(steps)
    actual = torch.tensor([row["loss"] for row in rows], dtype=torch.float64)
    torch.testing.assert_close(
        actual, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12
    )
    after = warmup * STEPS_OF_EPOCH
    assert [row["accepts"] for row in rows[after:]] == oracle.accepted
    assert 0 < sum(oracle.accepted) < 8 * steps


def test_the_oracles_differ_from_each_other_and_from_sequential_training(both):
    """Kind: a test that cannot fail. With the same losses one oracle could stand for another."""
    found = [tuple(both(fields)[1].advance(15)) for fields in ARMS.values()]
    in_sequence = {"schedule": "pipelined", "warmup_epochs": 2}
    found.append(tuple(both(in_sequence)[1].advance(15)))
    assert len(set(found)) == len(ARMS)  # balanced or not, the same is computed
