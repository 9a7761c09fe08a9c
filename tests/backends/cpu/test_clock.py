"""What the clock of a step holds: all work of the loop, loading the batch included."""

import time
from statistics import median

import pytest
from torch import nn

from specbp.backends.cpu import training as cpu
from specbp.datasets.loading import load
from specbp.experiment import experiment_from

BATCH, SIDE = 256, 96


def nearly_nothing(channels, classes):
    """A model that costs little beside the loading of its images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE**2, classes))


@pytest.fixture(scope="module")
def large_images():
    return load("random:3x96x96/10", train=4 * BATCH, test=10)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("schedule", ["sequential", "pipelined"])
def test_loading_the_batch_is_in_the_time_of_its_step(large_images, monkeypatch, native, schedule):
    """Kind: work outside the clock. Here loading is a sixth of a step or more, and what the steps
    took must be nearly all that the loop took."""
    if not native:
        monkeypatch.setattr(cpu, "native_is_there", lambda: False)
    fields = {
        "dataset": "random:3x96x96/10", "model": f"{__name__}:nearly_nothing", "train": 4 * BATCH,
        "test": 10, "batch_size": BATCH, "epochs": 9, "schedule": schedule,
    }  # fmt: skip
    training = cpu.CpuTraining(experiment_from(fields), large_images)
    training.advance(8)
    started = time.perf_counter()
    rows = training.advance(12)
    took_ms = (time.perf_counter() - started) * 1e3
    training.close()
    in_steps, loading = (sum(row[name] for row in rows) for name in ("step_ms", "load_ms"))
    assert loading >= 0.1 * in_steps
    assert 0.93 * took_ms <= in_steps <= took_ms
    assert all(row["load_ms"] > 0 for row in rows)
    between = sum(row["between_ms"] for row in rows)
    assert in_steps + between == pytest.approx(took_ms, rel=0.02), "steps and what is between"


@pytest.mark.parametrize("native", [True, False])
def test_a_sequential_step_is_work_and_nothing_else(digits, monkeypatch, native):
    """Kind: a baseline that is slower than it need be. Planted fault: it waits 0.3 ms a step.

    Against a plain loop it is held in bench/test_claims.py.
    """
    if not native:
        monkeypatch.setattr(cpu, "native_is_there", lambda: False)
    training = cpu.CpuTraining(experiment_from({"dataset": "digits", "epochs": 9}), digits)
    training.advance(5)
    idle = [row["share_synchronisation_ms"] for row in training.advance(60)]
    training.close()
    assert median(idle) < (0.05 if native else 0.2)
