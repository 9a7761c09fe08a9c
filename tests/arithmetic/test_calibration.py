"""Scales: legal for every network, the same everywhere, and wide enough for what was seen."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from specbp.arithmetic.calibration import calibrate
from specbp.arithmetic.int16 import Int16
from specbp.errors import UsageError
from specbp.network.lowering import lower
from specbp.network.models import MODELS, build
from specbp.schedules.chain import Chain
from specbp.schedules.passes import forward

IMAGE = (2, 20, 20)
"""Large enough for three strides of 2, each with a pooling behind it."""


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep the small tensors of these tests on one thread, and give back what a run has set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def batches(shape=IMAGE, classes=4, size=3, spread=1.0):
    generator = torch.Generator().manual_seed(3)
    return [
        (
            torch.randn(size, *shape, generator=generator) * spread,
            torch.randint(classes, (size,), generator=generator),
        )
        for _ in range(3)
    ]


@st.composite
def models(draw):
    """A chain of random layers for `IMAGE` with 4 classes, its weights scaled at random."""
    channels, layers = IMAGE[0], []
    for _ in range(draw(st.integers(1, 3))):
        filters = draw(st.integers(1, 5))
        layers += [nn.Conv2d(channels, filters, 3, draw(st.integers(1, 2)), 1), nn.ReLU()]
        layers += draw(
            st.sampled_from(
                [[], [nn.MaxPool2d(2, 1)], [nn.MaxPool2d(3, 1, 1)], [nn.AvgPool2d(2, 1)]]
            )
        )
        channels = filters
    model = nn.Sequential(*layers, nn.Flatten())
    features = model(torch.zeros(1, *IMAGE)).shape[1]
    model = nn.Sequential(*model, nn.Linear(features, 4))
    scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 8.0]))
    for parameter in model.parameters():
        parameter.data.mul_(scale)
    return model


@settings(max_examples=30, deadline=None)
@given(models(), st.sampled_from([1e-3, 1.0, 10.0]))
def test_nothing_seen_in_calibration_is_cut_off(model, spread):
    network, weights = lower(model, IMAGE, 4)
    seen = batches(spread=spread)
    saturations = Counter()
    arithmetic = Int16(network, calibrate(network, weights, seen), saturations)
    encoded = arithmetic.encode_weights(weights)
    for images, labels in seen:
        images = arithmetic.encode_images(images)
        assert images.abs().max() < 2**15 - 1
        outcome, _ = forward(network, arithmetic, encoded, images, labels)
        Chain(network, arithmetic).deltas(encoded, outcome, labels, len(labels))
    assert not +saturations
    trained = [
        arithmetic.scales.layers[layer.name] for layer in network.layers if layer.has_weights
    ]
    decoded = arithmetic.decode_weights(encoded)
    for given_pair, near, scales in zip(weights, decoded, trained, strict=True):
        bits = scales.trained.weight_master, scales.trained.bias
        for real, approximate, fraction in zip(given_pair, near, bits, strict=True):
            assert (real - approximate).abs().max() <= 2.0 ** -(fraction + 1)


GRAPHS = {"resnet8", "resnet8-plain", "resnet20", "vgg11-bn", "depthwise-cnn"}
"""Models that int16 arithmetic does not train."""


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_graph_is_refused_by_name(name):
    network, weights = lower(build(name, 3, 10, seed=0), (3, 32, 32), 10)
    with pytest.raises(UsageError, match=r"layer \S+ (has no bias|is Addition).*float32 for it"):
        calibrate(network, weights, batches((3, 32, 32), 10, size=2))


@pytest.mark.parametrize("name", sorted(MODELS.keys() - GRAPHS))
def test_every_model_of_the_suite_has_legal_scales(name):
    shape = {"digits-cnn": (1, 8, 8), "lenet5": (1, 28, 28)}.get(name, (3, 32, 32))
    network, weights = lower(build(name, shape[0], 10, seed=0), shape, 10)
    scales = calibrate(network, weights, batches(shape, 10, size=2))
    assert list(scales.layers) == [layer.name for layer in network.layers]
    links = list(scales.layers.values())
    for before, after in pairwise(links):
        assert before.output == after.input
        assert before.output_delta == after.input_delta
    assert links[-1].output == scales.logits
    assert links[-1].output_delta == 14
    assert scales.batch_size == 2


def test_scales_do_not_depend_on_the_number_of_threads():
    network, weights = lower(build("lenet5", 1, 10, seed=0), (1, 28, 28), 10)
    seen = batches((1, 28, 28), 10, size=16)
    threads = torch.get_num_threads()
    try:
        chosen = []
        for count in (1, 2):
            torch.set_num_threads(count)
            chosen.append(calibrate(network, weights, seen))
    finally:
        torch.set_num_threads(threads)
    assert chosen[0] == chosen[1]


def test_calibration_leaves_weights_and_images_as_they_are():
    network, weights = lower(build("digits-cnn", 1, 10, seed=0), (1, 8, 8), 10)
    seen = batches((1, 8, 8), 10)
    before = [tensor.clone() for pair in (*weights, *seen) for tensor in pair]
    calibrate(network, weights, seen)
    after = [tensor for pair in (*weights, *seen) for tensor in pair]
    assert all(map(torch.equal, before, after))


def test_a_network_that_int16_cannot_train_is_refused_by_name():
    model = nn.Sequential(nn.AvgPool2d(3), nn.Flatten(), nn.Linear(2 * 6 * 6, 4))
    network, weights = lower(model, IMAGE, 4)
    with pytest.raises(UsageError, match="0:AvgPool2d"):
        calibrate(network, weights, batches())
