"""Training on the simulated overlay, through pynq: every bit that of PyTorch."""

import pytest
from torch import nn

from specbp.lockstep.compare import Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.network.models import build
from specbp.overlay.cycles import predict
from specbp.overlay.parameters import Parameters
from specbp.simulation.executor import SimulatedExecutor
from tests.overlay.networks import SmallRecipe


@pytest.fixture
def opened():
    found = []

    def open_one(parameters, size, stalls=0.0):
        executor = SimulatedExecutor(parameters, size)
        executor.device.model.set_stalls(1, stalls)
        found.append(executor)
        return executor

    yield open_one
    for executor in found:
        assert executor.device.model.violations == 0
        executor.close()


def digits(batch_size=8):
    return SmallRecipe(build("digits-cnn", 1, 10, seed=0), (1, 8, 8), 10, batch_size)


def assert_identical(recipe, parameters, open_executor, steps):
    side = OverlaySide(recipe, parameters, open_executor)
    *_, last = compare(PytorchSide(recipe), side, steps)
    assert isinstance(last, Progress), str(last)
    return side


@pytest.mark.parametrize("stalls", [0.0, 0.4])
def test_digits(opened, stalls):
    assert_identical(
        digits(), Parameters(), lambda parameters, size: opened(parameters, size, stalls), steps=3
    )


def test_what_is_rare(opened):
    model = nn.Sequential(
        nn.ReLU(), nn.Conv2d(5, 9, (3, 2), (2, 1), (1, 0)), nn.ReLU(), nn.MaxPool2d(3, 1, 1),
        nn.Conv2d(9, 18, 2, 3), nn.AvgPool2d(2, 1, 1), nn.Flatten(), nn.ReLU(), nn.Linear(162, 3),
    )  # fmt: skip
    recipe = SmallRecipe(model, (5, 9, 6), 3, batch_size=3)
    assert_identical(recipe, Parameters(), opened, steps=2)


@pytest.mark.parametrize("batch_size", [1, 16])
def test_cycles_are_as_predicted(opened, batch_size):
    side = assert_identical(digits(batch_size), Parameters(), opened, steps=1)
    pixels, labels = side._recipe.batch(1)
    images = side._recipe.images(side._arithmetic, pixels)
    cycles = side.overlay.run(images, labels, side._recipe.rule(1))
    assert predict(side.overlay.compiled).total == pytest.approx(cycles, rel=0.02)


def test_two_overlays_in_turns(opened):
    recipe = digits()
    one, other = (OverlaySide(recipe, Parameters(), opened) for _ in range(2))
    assert isinstance(list(compare(one, other, 2))[-1], Progress)
