"""What a compiled step uses of lanes and memory."""

import pytest
from torch import nn

from specbp.overlay.compiler import compile_step
from specbp.overlay.parameters import Parameters
from specbp.overlay.usage import usage
from tests.overlay.networks import SmallRecipe

BATCH = 2


@pytest.fixture(scope="module")
def passes():
    model = nn.Sequential(
        nn.Conv2d(4, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(2048, 40)
    )
    recipe = SmallRecipe(model, (4, 8, 8), 40, BATCH)
    compiled = compile_step(recipe.network, recipe.scales(), BATCH, Parameters(lanes=32))
    found = usage(compiled)
    assert sum(one.cycles for one in found.passes) == found.cycles
    return {(one.layer, one.work): one for one in found.passes}


def test_a_convolution_keeps_the_lanes_busy(passes):
    forward = passes["0:Conv2d", "forward"]
    # At the border a row, a column of taps lies on padding.
    products = BATCH * (8 * 3 - 2) ** 2 * 32 * 4
    assert forward.useful == products / (32 * forward.cycles)
    assert forward.useful > 0.8 and forward.memory_bound < forward.cycles / 2


def test_a_linear_layer_waits_for_its_weights(passes):
    forward = passes["3:Linear", "forward"]
    weights, inputs = 2048 * 40 // 4, BATCH * 2048 // 4
    assert weights <= forward.memory_bound <= weights * 1.3 + inputs
    assert forward.memory_bound > 0.8 * forward.cycles
