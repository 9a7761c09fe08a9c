"""Training on the overlay's programs, interpreted: the same as int16 in PyTorch in every bit."""

import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.backends.overlay.model import ModelTraining
from specbp.backends.overlay.training import OverlayTraining
from specbp.experiment import experiment_from
from specbp.overlay.executors import InterpreterExecutor
from specbp.saved_state import StateError
from tests.fuzzing import altered, leaves, wrong_values

FIELDS = {"dataset": "digits", "train": 160, "test": 50, "batch_size": 16, "epochs": 2,
          "learning_rate_decay": "cosine", "weight_decay": 1e-3}  # fmt: skip


@pytest.fixture(scope="module")
def dataset():
    from specbp.datasets.loading import load

    return load("digits", train=160, test=50)


def on_overlay(dataset, **fields):
    experiment = experiment_from({**FIELDS, "backend": "sim:rtl", **fields})
    return OverlayTraining(
        experiment, dataset, lambda parameters, _: InterpreterExecutor(parameters)
    )


def on_cpu(dataset):
    return CpuTraining(experiment_from({**FIELDS, "arithmetic": "int16"}), dataset)


def test_it_trains_as_pytorch_does(dataset):
    overlay, cpu = on_overlay(dataset), on_cpu(dataset)
    assert overlay.initial_weights_sha256 == cpu.initial_weights_sha256
    assert overlay.sample_order_sha256 == cpu.sample_order_sha256
    for ours, theirs in zip(overlay.advance(12), cpu.advance(12), strict=True):
        assert (ours["loss"], ours["correct"]) == (theirs["loss"], theirs["correct"])
        assert (ours["epoch"], ours["step"]) == (theirs["epoch"], theirs["step"])
    assert overlay.weights_sha256() == cpu.weights_sha256()
    assert overlay.test_accuracy() == cpu.test_accuracy()


def test_a_resumed_training_goes_on_to_the_bit(dataset, tmp_path):
    whole, first, second = (on_overlay(dataset) for _ in range(3))
    whole.advance(7)
    first.advance(4)
    torch.save(first.state(), tmp_path / "state.pt")
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    second.advance(3)
    assert second.step == 7
    assert second.weights_sha256() == whole.weights_sha256()
    assert second.advance(1)[0]["loss"] == whole.advance(1)[0]["loss"]


@pytest.mark.parametrize(
    "fields", [{}, {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.3}], ids=str
)
def test_every_value_of_a_state_is_checked(dataset, fields):
    """Kind: a checkpoint that is damaged, or not of this training, with the right checksum."""
    training = on_overlay(dataset, **fields)
    training.advance(3)
    state = training.state()
    for path in leaves(state):
        ranges = "slots" in path  # of outcomes, the hardware compares what it does not bound
        for value in () if path == ("step",) else wrong_values(state, path, ranges):
            with pytest.raises(StateError):
                training.restore(altered(state, path, value))
                pytest.fail(f"{path} = {str(value)[:200]} was believed")
    training.restore(state)
    training.advance(1)


def test_two_keys_in_one_slot_are_refused(dataset):
    training = on_overlay(dataset, schedule="speculative", reuse="replay")
    training.advance(3)
    state = training.state()
    held = state["schedule"]["slots"]["held"]
    twice = torch.full_like(held, int(held.max()))
    with pytest.raises(StateError, match="two keys have the same slot"):
        training.restore(altered(state, ("schedule", "slots", "held"), twice))


def test_the_model_predicts_cycles_and_trains_the_same(dataset):
    experiment = experiment_from({**FIELDS, "backend": "sim:model", "lanes": 32})
    model, cpu = ModelTraining(experiment, dataset), on_cpu(dataset)
    rows = model.advance(5)
    cpu.advance(5)
    assert model.weights_sha256() == cpu.weights_sha256()
    assert len({row["cycles"] for row in rows}) == 1 and rows[0]["cycles"] > 100_000
    assert rows[0]["clock_mhz"] == 100
