"""What a gate rejects joins the next step: every sample counts once, and late."""

import pytest
import torch

from specbp.backends.cpu.training import CpuTraining
from specbp.errors import UsageError
from specbp.experiment import experiment_from

STEPS = 6
SLOW = {"dataset": "digits", "momentum": 0.0, "learning_rate": 1e-4}
"""So slow that it hardly matters by which weights a gradient is made."""


def movement(digits, steps, **method):
    """Return how far all weights have moved from where they began, and the rows."""
    training = CpuTraining(experiment_from(SLOW | method), digits)
    before = [one.clone() for pair in training.state()["weights"] for one in pair]
    rows = training.advance(steps)
    after = [one for pair in training.state()["weights"] for one in pair]
    moved = torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)])
    training.close()
    return moved, rows


@pytest.mark.parametrize("reuse", ["outcomes", "replay"])
def test_where_nothing_is_accepted_it_is_sequential_training_one_step_late(digits, reuse):
    late, rows = movement(digits, STEPS + 1, schedule="deferred", gate_threshold=0, reuse=reuse)
    expected, _ = movement(digits, STEPS)
    assert [row["accepts"] for row in rows] == [0] * (STEPS + 1)
    torch.testing.assert_close(late, expected, rtol=0.02, atol=float(expected.abs().max()) / 100)


def test_where_all_is_accepted_only_samples_without_a_cached_one_are_late(digits):
    method = {"reuse": "replay", "gate_threshold": 1}
    deferred, rows = movement(digits, STEPS, schedule="deferred", **method)
    redone, _ = movement(digits, STEPS, schedule="speculative", **method)
    assert rows[0]["accepts"] == 0 and rows[-1]["accepts"] == 32
    torch.testing.assert_close(deferred, redone, rtol=0.02, atol=float(redone.abs().max()) / 100)


def test_without_a_gate_there_is_nothing_to_put_off():
    with pytest.raises(UsageError, match="puts off what a gate rejects"):
        experiment_from({"schedule": "deferred", "gate_metric": "none"})
