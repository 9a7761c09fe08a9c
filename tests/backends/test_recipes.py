"""Augmentation, label smoothing and schedulers in training: equal bits, equal work, refusals."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from specbp.arithmetic.float32 import Float32
from specbp.backends.cpu import training as cpu
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import experiment_from

RECIPE = {
    "random_flip": True,
    "random_crop": 1,
    "cutout": 3,
    "label_smoothing": 0.1,
    "scheduler": "OneCycleLR(max_lr=0.1, total_steps=steps, cycle_momentum=False)",
}


@pytest.fixture(scope="module")
def digits():
    return load("digits", train=60, test=20)


def train(digits, steps=10, pause=None, **fields):
    """The state after some steps, with a stop and a new training in between."""
    described = {"batch_size": 10, "epochs": 3} | RECIPE | fields
    experiment = experiment_from(described)
    training = CpuTraining(experiment, digits)
    if pause is not None:
        training.advance(pause)
        state = training.state()
        other = CpuTraining(experiment, digits)
        other.restore(state)
        training.close()
        training, steps = other, steps - pause
    rows = training.advance(steps)
    found = training.weights_sha256(), dict(training.about), rows
    training.close()
    return found


@pytest.mark.parametrize("schedule", ["sequential", "data-parallel", "pipelined"])
def test_both_runtimes_give_the_same_bits(digits, monkeypatch, schedule):
    """Kind: two runtimes that augment or smooth differently."""
    weights, about, rows = train(digits, schedule=schedule)
    assert about["runtime"] == "native"
    monkeypatch.setattr(cpu, "native_is_there", lambda: False)
    others, other_about, other_rows = train(digits, schedule=schedule)
    assert other_about["runtime"] == "threads"
    assert others == weights
    assert other_about["samples_sha256"] == about["samples_sha256"]
    assert [row["loss"] for row in other_rows] == [row["loss"] for row in rows]


def test_a_resumed_training_is_the_same_to_the_bit(digits):
    whole, paused = train(digits), train(digits, pause=7)
    assert paused[0] == whole[0]
    assert paused[1]["samples_sha256"] == whole[1]["samples_sha256"]


@pytest.mark.parametrize("name", RECIPE)
def test_every_part_of_a_recipe_changes_the_training(digits, name):
    """Kind: an option that does nothing."""
    with_it = train(digits)
    without = train(digits, **{name: None})
    assert without[0] != with_it[0]
    augments = name in ("random_flip", "random_crop", "cutout")
    assert (without[1]["samples_sha256"] != with_it[1]["samples_sha256"]) == augments


def test_what_is_augmented_is_part_of_the_order_that_arms_must_share(digits):
    orders = {
        CpuTraining(
            experiment_from({"batch_size": 10, "epochs": 1} | fields), digits
        ).sample_order_sha256
        for fields in ({}, {"random_flip": True}, {"random_crop": 1}, {"random_crop": 2})
    }
    assert len(orders) == 4


def test_label_smoothing_is_that_of_pytorch():
    logits = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    expected = cross_entropy(logits, labels, label_smoothing=0.2)
    expected.backward()
    arithmetic = Float32(label_smoothing=0.2)
    with torch.no_grad():
        probabilities, losses = arithmetic.softmax_cross_entropy(logits, labels)
        gradient = arithmetic.logit_gradient(probabilities, labels, 6)
    assert torch.allclose(losses.mean(), expected, atol=1e-12)
    assert torch.allclose(gradient, logits.grad, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"label_smoothing": 0.1, "arithmetic": "int16"}, "label_smoothing needs arithmetic = flo"),
        ({"label_smoothing": 0.1, "backend": "sim:model"}, "label_smoothing needs arithmetic = fl"),
        ({"cutout": 3, "backend": "sim:rtl"}, "cutout needs backend = cpu"),
        ({"random_flip": True, "backend": "cuda"}, "random_flip needs backend = cpu"),
        ({"random_flip": False}, "random_flip = false is what it is without it"),
        (
            {"scheduler": "StepLR(step_size=3)", "learning_rate_decay": "cosine"},
            "scheduler and learning_rate_decay both say",
        ),
    ],
)
def test_what_has_no_effect_or_cannot_be_done_is_refused(fields, reason):
    with pytest.raises(UsageError, match=reason):
        experiment_from(fields)


def test_a_scheduler_that_cannot_be_used_is_refused_before_the_first_step(digits):
    with pytest.raises(UsageError, match="has no SteppLR"):
        train(digits, scheduler="SteppLR(step_size=3)")
