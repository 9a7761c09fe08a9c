"""A runtime goes on from what it saved, and from nothing else."""

import copy
import random

import pytest
import torch

from specbp.backends.cpu import training as cpu
from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.catalog import describe
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from specbp.initial import initial
from specbp.saved_state import SavedForms, StateError
from tests.fuzzing import altered, leaves, wrong_values
from tests.runtime.test_equal_bits import ARMS, FIELDS

RUNTIMES = ["native", "threads", "int16"]
ADAPTIVE = {
    "schedule": "speculative", "gate_metric": "max", "gate_threshold": 0.3, "gate_target": 0.5,
}  # fmt: skip
KINDS = [*ARMS, ADAPTIVE, ADAPTIVE | {"warmup_epochs": 1}]


@pytest.fixture(scope="module")
def digits():
    """Their network has max pooling, of whose indices PyTorch and C++ believe every one."""
    return load("digits", train=160, test=50)


@pytest.fixture
def open_training(digits, monkeypatch):
    """Opens a training of an arm on one of the runtimes."""
    opened = []

    def open_one(arm, runtime):
        monkeypatch.setattr(cpu, "native_is_there", lambda: runtime == "native")
        arithmetic = {"arithmetic": "int16"} if runtime == "int16" else {}
        opened.append(CpuTraining(experiment_from(FIELDS | arm | arithmetic), digits))
        return opened[-1]

    yield open_one
    for training in opened:
        training.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("arm", KINDS, ids=str)
def test_what_was_saved_is_gone_on_from_with_the_same_bits(open_training, arm, runtime):
    """Kind: a check that refuses what is right; before the first step, after it, and later."""
    whole = open_training(arm, runtime)
    for steps in (0, 1, 4):
        whole.advance(steps)
        again = open_training(arm, runtime)
        again.restore(copy.deepcopy(whole.state()))
        assert [row["loss"] for row in again.advance(2)] == [
            row["loss"] for row in whole.advance(2)
        ]
        assert again.weights_sha256() == whole.weights_sha256()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("arm", KINDS, ids=str)
def test_every_value_of_a_state_is_checked(open_training, arm, runtime):
    """Kind: another shape, type, container; beyond its range, below it, not a number."""
    training = open_training(arm, runtime)
    training.advance(6)
    state = training.state()
    draw = random.Random(str((arm, runtime)))
    for path in leaves(state):
        for value in wrong_values(state, path):
            with pytest.raises((StateError, KeyError, cpu.ToolError)):
                training.restore(altered(state, path, value))
                pytest.fail(f"{path} = {str(value)[:200]} was believed")
    training.restore(state)
    training.advance(draw.randint(1, 3))


def test_the_first_pixel_beyond_an_image_is_none():
    """Kind: a range that is off by one."""
    network = initial("digits-cnn", describe("digits"), 0).network
    form = SavedForms.of(network, torch.float32).masks[2]
    image = torch.zeros(2, *form.row_shape, dtype=torch.int64)
    assert form.read(image + 63, 2, "choices").max() == 63
    for wrong in (-1, 64):
        with pytest.raises(StateError, match="choices has values that are not from 0 to 63"):
            form.read(image + wrong, 2, "choices")
