"""What does not fit is refused, with the layer, the limit and what it needs."""

import pytest
from torch import nn

from specbp.errors import UsageError
from specbp.overlay.compiler import compile_step
from specbp.overlay.parameters import Parameters
from tests.overlay.networks import SmallRecipe


def refused(model, image_shape, classes, lanes=16):
    recipe = SmallRecipe(model, image_shape, classes, batch_size=2)
    with pytest.raises(UsageError) as error:
        compile_step(recipe.network, recipe.scales(), 2, Parameters(lanes=lanes))
    return str(error.value)


def test_a_row_of_results_that_the_output_buffer_does_not_hold():
    model = nn.Sequential(
        nn.Conv2d(1, 64, (1, 3)), nn.MaxPool2d((1, 98)), nn.Flatten(), nn.Linear(64, 2)
    )
    said = refused(model, (1, 1, 100), 2, lanes=64)
    assert "layer 0:Conv2d does not fit the overlay: its forward needs 1568 words" in said
    assert "of the output buffer, for one row of results, of which it has 1024" in said


def test_a_row_of_the_image_that_the_scalar_buffer_does_not_hold():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, stride=100, padding=1), nn.Flatten(), nn.Linear(30, 2))
    assert "words of the scalar buffer" in refused(model, (1, 2, 3000), 2)


def test_logits_that_are_not_one_position():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    assert "end with a linear layer" in refused(model, (1, 3, 6), 8)
