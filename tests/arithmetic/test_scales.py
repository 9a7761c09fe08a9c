"""What int16 arithmetic refuses, and by which name."""

from dataclasses import replace

import pytest

from specbp.arithmetic.fixed_point import ACCUMULATOR_MAX, INT16_MAX
from specbp.arithmetic.scales import (
    LayerScales,
    Scales,
    WeightScales,
    require_int16,
    require_within_accumulator,
)
from specbp.errors import UsageError
from specbp.network import AveragePooling, Convolution, Layer, Linear, Network

PLAIN = LayerScales(10, 10, 14, 14, WeightScales(15, 25, 20, 20))


def linear(inputs, outputs=1):
    return Layer("fc", Linear(inputs, outputs), (inputs,), (outputs,))


def pooling(height, width):
    return Layer("pool", AveragePooling((height, width), (1, 1), (0, 0)), (1, 6, 6), (1, 1, 1))


def check(layer, scales=PLAIN, batch_size=1, logits=10):
    require_within_accumulator(
        Network((layer,), 1), Scales({layer.name: scales}, logits, batch_size)
    )


@pytest.mark.parametrize("window", [(2, 2), (1, 4), (8, 1), (1, 1)])
def test_average_pooling_over_a_power_of_two_is_allowed(window):
    require_int16(Network((pooling(*window),), 10))


@pytest.mark.parametrize("window", [(3, 3), (2, 3), (6, 6)])
def test_average_pooling_over_anything_else_is_refused_by_name(window):
    with pytest.raises(UsageError, match=f"pool averages windows of {window[0] * window[1]}"):
        require_int16(Network((pooling(*window),), 10))


def test_more_classes_than_softmax_can_sum_are_refused():
    require_int16(Network((linear(1),), 511))
    with pytest.raises(UsageError, match="512 classes"):
        require_int16(Network((linear(1),), 512))


def test_the_largest_forward_sum_is_the_last_one_allowed():
    half = 2 ** (PLAIN.forward_shift(linear(1)) - 1)
    bias = 2**31 - 1
    most = (ACCUMULATOR_MAX - half - bias) // INT16_MAX**2
    assert most == 131_078
    check(linear(most))
    with pytest.raises(UsageError, match=f"fc: the output sums {most + 1} products.* {most}"):
        check(linear(most + 1))


def test_a_bias_shifted_far_to_the_left_takes_room_from_the_sum():
    shifted = replace(PLAIN, weights=replace(PLAIN.trained, bias=10))
    check(linear(65_000), shifted)
    with pytest.raises(UsageError, match="the output sums 66000 products"):
        check(linear(66_000), shifted)


def test_too_many_outputs_are_refused_for_the_input_gradient():
    with pytest.raises(UsageError, match="fc: the input gradient sums 140000 products"):
        check(linear(1, 140_000))


def test_a_batch_too_large_for_the_weight_gradient_is_refused():
    layer = Layer("conv", Convolution(3, 8, (3, 3), (1, 1), (1, 1)), (3, 32, 32), (8, 32, 32))
    check(layer, batch_size=128)
    with pytest.raises(UsageError, match=r"conv: the weight gradient.* smaller batch"):
        check(layer, batch_size=129)


@pytest.mark.parametrize(
    ("scales", "what"),
    [
        (replace(PLAIN, output=26), "output needs a shift of -1"),
        (replace(PLAIN, input_delta=-20), "input gradient needs a shift of 49"),
        (replace(PLAIN, weights=replace(PLAIN.trained, weight_gradient=25)), "weight gradient"),
        (replace(PLAIN, weights=replace(PLAIN.trained, bias_gradient=29)), "bias gradient"),
        (
            replace(PLAIN, weights=replace(PLAIN.trained, bias=26)),
            "output needs a left shift of -1",
        ),
    ],
)
def test_a_shift_the_requantiser_does_not_have_is_refused(scales, what):
    with pytest.raises(UsageError, match=what):
        check(linear(4), scales)


def test_a_shift_is_checked_in_average_pooling_too():
    check(pooling(2, 2), LayerScales(10, 12, 14, 14))
    with pytest.raises(UsageError, match="pool: the output needs a shift of -1"):
        check(pooling(2, 2), LayerScales(10, 13, 14, 14))


def test_logits_too_large_for_softmax_are_refused():
    check(linear(4), logits=-6)
    with pytest.raises(UsageError, match="logits"):
        check(linear(4), logits=-7)
