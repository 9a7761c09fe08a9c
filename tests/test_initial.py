"""What a training starts from, and which networks count as the same."""

import pytest
from torch import nn

from specbp.datasets.catalog import describe
from specbp.errors import UsageError
from specbp.initial import identity, initial
from specbp.network.models import MODELS, BuiltIn

DIGITS = describe("digits")


ANY_SIZE = {"resnet8", "resnet8-plain", "resnet20", "depthwise-cnn"}
"""Models that pool over all pixels there are."""


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ANY_SIZE])
def test_a_model_that_does_not_fit_says_what_it_wants(name):
    """Kind: models on data of another size; the smallest that fits is the size that it names."""
    size = MODELS[name].image_size
    initial(name, describe(f"random:2x{size}x{size}/5"), 0)
    small = f"random:2x{size - 1}x{size - 1}/5"
    with pytest.raises(UsageError) as error:
        initial(name, describe(small), 0)
    assert str(error.value) == (
        f"{name} takes {size} x {size} images, {small} are {size - 1} x {size - 1}: "
        "choose another model or data set"
    )


@pytest.mark.parametrize("name", sorted(ANY_SIZE))
def test_a_model_that_pools_over_the_whole_image_fits_one_of_another_size(name):
    assert initial(name, describe("random:2x20x20/5"), 0).network.layers[-1].output_shape == (5,)


def test_lenet5_on_digits():
    with pytest.raises(UsageError, match="lenet5 takes 28 x 28 images, digits are 8 x 8"):
        initial("lenet5", DIGITS, 0)


@pytest.fixture
def offer(monkeypatch):
    """Puts a model into the table under a name."""
    return lambda name, make: monkeypatch.setitem(MODELS, name, BuiltIn(make, 8))


def own(*layers):
    return lambda channels, classes: nn.Sequential(*layers, nn.Linear(64, classes))


def test_a_users_own_model_names_the_layer_that_does_not_fit():
    with pytest.raises(UsageError) as error:
        initial("tests.test_initial:wide", DIGITS, 0)
    assert str(error.value) == (
        'model "tests.test_initial:wide" does not fit digits (1 x 8 x 8 images, 10 classes): '
        "layer 1:Linear does not fit its input (64,): it takes 100 features"
    )


def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(100, 10))


def test_networks_are_told_apart_by_what_they_compute_and_start_from(offer):
    """Kind: what can change under one name: structure, initial weights, seed, data, builder."""
    offer("net", own(nn.Flatten()))
    first = identity("net", DIGITS, 0)
    assert identity("net", DIGITS, 0) == first
    seeded = identity("net", DIGITS, 1)
    assert seeded.network_sha256 == first.network_sha256
    assert seeded.initial_weights_sha256 != first.initial_weights_sha256
    offer("net", own(nn.ReLU(), nn.Flatten()))
    edited = identity("net", DIGITS, 0)
    assert edited.network_sha256 != first.network_sha256
    assert edited.initial_weights_sha256 == first.initial_weights_sha256

    def rescaled(channels, classes):
        model = own(nn.Flatten())(channels, classes)
        nn.init.zeros_(model[1].bias)
        return model

    offer("net", rescaled)
    changed = identity("net", DIGITS, 0)
    assert changed.network_sha256 == first.network_sha256
    assert changed.initial_weights_sha256 != first.initial_weights_sha256


def test_a_network_is_built_once_for_its_identity(offer):
    calls = []

    def make(channels, classes):
        calls.append(channels)
        return own(nn.Flatten())(channels, classes)

    offer("net", make)
    for _ in range(1000):
        identity("net", DIGITS, 0)
    assert len(calls) == 1
