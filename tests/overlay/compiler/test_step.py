"""Whole training steps: compiled, interpreted, and the same as int16 in PyTorch in every bit.

The interpreter also looks for races and for words that nothing has written, so that these
programs are right whatever the timing of the hardware.
"""

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from specbp.errors import UsageError
from specbp.lockstep.compare import Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.network.models import build
from specbp.overlay.executors import InterpreterExecutor
from specbp.overlay.parameters import Parameters
from tests.overlay.networks import SmallRecipe, small_recipes


def checked(parameters, size):
    return InterpreterExecutor(parameters, detect_races=True)


def lockstep(recipe, parameters, steps):
    *_, last = compare(PytorchSide(recipe), OverlaySide(recipe, parameters, checked), steps)
    assert isinstance(last, Progress), str(last)
    return last


TINY = {
    "scalar_words": 512,
    "vector_rows": 256,
    "bias_rows": 256,
    "output_words": 256,
    "partial_rows": 256,
}
"""Small buffers: every pass is cut into many pieces."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    recipe=small_recipes(),
    lanes=st.sampled_from([16, 32, 64]),
    buffers=st.sampled_from([{}, TINY]),
)
def test_random_networks(recipe, lanes, buffers):
    try:
        recipe.scales()
        lockstep(recipe, Parameters(lanes=lanes, **buffers), steps=2)
    except UsageError as error:
        assume("layer" not in str(error))


@pytest.mark.parametrize("lanes", [16, 64])
@pytest.mark.parametrize(
    ("name", "image_shape", "classes", "batch_size"),
    [("digits-cnn", (1, 8, 8), 10, 32), ("lenet5", (1, 28, 28), 10, 5)],
)
def test_models(name, image_shape, classes, batch_size, lanes):
    model = build(name, image_shape[0], classes, seed=0)
    recipe = SmallRecipe(model, image_shape, classes, batch_size)
    assert lockstep(recipe, Parameters(lanes=lanes), steps=2).steps == 2


WIDE = nn.Sequential(
    nn.Conv2d(40, 36, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(36 * 36, 3)
)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(WIDE, id="sums in chunks, channels in blocks"),
        pytest.param(
            nn.Sequential(
                nn.Conv2d(40, 5, 5, stride=2, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(45, 3)
            ),
            id="stride",
        ),
        pytest.param(
            nn.Sequential(
                nn.Conv2d(40, 5, 2, stride=3), nn.ReLU(), nn.Conv2d(5, 6, 1, stride=2),
                nn.Flatten(), nn.Linear(6, 3),
            ),
            id="stride beyond the kernel",
        ),
        pytest.param(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(40, 8, 3), nn.ReLU(), nn.MaxPool2d(3, 1, 1), nn.ReLU(),
                nn.AvgPool2d(2, 1, 1), nn.Flatten(), nn.ReLU(), nn.Linear(8 * 25, 3),
            ),
            id="ReLU anywhere, poolings that overlap",
        ),
    ],
)  # fmt: skip
def test_what_is_rare(model):
    with torch.random.fork_rng(devices=[]):
        recipe = SmallRecipe(model, (40, 6, 6), 3, batch_size=5)
        lockstep(recipe, Parameters(), steps=2)
