"""Lockstep names the first difference: planted faults, each in a part of a step of its own."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from specbp.lockstep.compare import Difference, Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.network.models import build
from specbp.overlay.executors import InterpreterExecutor
from specbp.overlay.instructions import Mac, Mask, Result, Select, Sgd, Softmax
from specbp.overlay.parameters import Parameters
from tests.overlay.networks import SmallRecipe


@pytest.fixture(scope="module")
def recipe():
    return SmallRecipe(build("digits-cnn", 1, 10, seed=0), (1, 8, 8), 10, batch_size=6)


class Broken(InterpreterExecutor):
    """Runs programs of which one descriptor has been changed."""

    def __init__(self, parameters, chosen, change):
        super().__init__(parameters)
        self.chosen, self.change = chosen, change

    def run(self, program):
        (core,) = program.descriptors
        broken = list(core)
        place = next(place for place, one in enumerate(broken) if self.chosen(one))
        broken[place] = replace(broken[place], **self.change(broken[place]))

        return super().run(SimpleNamespace(descriptors=[broken]))


def test_two_executions_of_one_training_are_the_same(recipe):
    sides = (
        PytorchSide(recipe),
        OverlaySide(recipe, Parameters(), lambda p, _: InterpreterExecutor(p)),
    )
    found = list(compare(*sides, 3))
    assert [one.steps for one in found] == [1, 2, 3]
    assert all(isinstance(one, Progress) for one in found)
    assert found[-1].tensors == 3 * 27


def mac(kind):
    return lambda one: isinstance(one, Mac) and one.kind == kind


@pytest.mark.parametrize(
    ("chosen", "change", "layer", "tensor"),
    [
        pytest.param(
            lambda one: isinstance(one, Mac), lambda one: {"shift": one.shift + 1},
            "0:Conv2d", "output", id="a rounding",
        ),
        pytest.param(
            lambda one: isinstance(one, Mac) and one.relu, lambda one: {"relu": False},
            "0:Conv2d", "output", id="a ReLU left out",
        ),
        pytest.param(
            lambda one: isinstance(one, Softmax), lambda one: {"shift": one.shift - 1},
            "network", "probabilities", id="softmax at another scale",
        ),
        pytest.param(
            lambda one: isinstance(one, Softmax), lambda one: {"labels": one.labels + 1},
            "7:Linear", "delta", id="a label of another sample",
        ),
        pytest.param(
            mac(Result.INT32), lambda one: {"addend_base": 0, "shift": one.shift - 1},
            "7:Linear", "bias gradient", id="a gradient at another scale",
        ),
        pytest.param(
            lambda one: isinstance(one, Mask), lambda one: {"b": one.a},
            "3:Conv2d", "delta", id="a mask of itself",
        ),
        pytest.param(
            lambda one: isinstance(one, Select), lambda one: {"t": one.t - 1},
            "3:Conv2d", "delta", id="a choice one tap off",
        ),
        pytest.param(
            lambda one: isinstance(one, Sgd), lambda one: {"gradients": one.masters},
            "7:Linear", "weight", id="an update from the wrong words",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_located(recipe, chosen, change, layer, tensor):
    side = OverlaySide(recipe, Parameters(), lambda p, _: Broken(p, chosen, change))
    (found,) = compare(PytorchSide(recipe), side, 3)
    assert isinstance(found, Difference)
    assert (found.step, found.layer, found.tensor) == (0, layer, tensor)
    assert found.values[0] != found.values[1] and 0 < found.count <= found.size
    assert f"step 0, layer {layer}: {tensor}[" in str(found)
