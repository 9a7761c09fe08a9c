"""Every layer function to the bit against loops over Python's integers, written independently."""

from collections import Counter
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.int16_update import step_integers
from specbp.arithmetic.scales import LayerScales, Scales, WeightScales
from specbp.network import (
    AveragePooling,
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPooling,
    Network,
    ReLU,
)

INT16, INT32 = 2**15 - 1, 2**31 - 1
small, shifts = st.integers(1, 3), st.integers(0, 20)
seeds = st.integers(0, 2**31)


def rounded(value, shift, limit=INT16):
    if shift:
        value = (value + (1 << (shift - 1))) >> shift
    return min(limit, max(-limit, value))


def pairs(layer):
    """Yield output position, kernel offset and input position of each pair inside the image."""
    op, (_, height, width) = layer.operation, layer.input_shape
    outputs = product(range(layer.output_shape[1]), range(layer.output_shape[2]))
    for (i, j), k, m in product(outputs, range(op.kernel[0]), range(op.kernel[1])):
        p, q = i * op.stride[0] + k - op.padding[0], j * op.stride[1] + m - op.padding[1]
        if 0 <= p < height and 0 <= q < width:
            yield (i, j), (k, m), (p, q)


def slow_convolution(layer, x, weight, bias, delta):
    """Return the exact sums of output, input, weight and bias gradient, by index."""
    op, (_, height, width) = layer.operation, layer.output_shape
    output, dx, gw, gb = Counter(), Counter(), Counter(), Counter()
    for n, o in product(range(len(x)), range(op.out_channels)):
        for i, j in product(range(height), range(width)):
            output[n, o, i, j] += bias[o]
            gb[(o,)] += delta[n][o][i][j] << 14
        for ((i, j), (k, m), (p, q)), c in product(pairs(layer), range(op.in_channels)):
            output[n, o, i, j] += x[n][c][p][q] * weight[o][c][k][m]
            dx[n, c, p, q] += delta[n][o][i][j] * weight[o][c][k][m]
            gw[o, c, k, m] += x[n][c][p][q] * delta[n][o][i][j]
    return output, dx, gw, gb


def slow_linear(layer, x, weight, bias, delta):
    """Return the exact sums of output, input, weight and bias gradient, by index."""
    op = layer.operation
    output, dx, gw, gb = Counter(), Counter(), Counter(), Counter()
    for n, o in product(range(len(x)), range(op.out_features)):
        output[n, o] += bias[o]
        gb[(o,)] += delta[n][o] << 14
        for c in range(op.in_features):
            output[n, o] += x[n][c] * weight[o][c]
            dx[n, c] += delta[n][o] * weight[o][c]
            gw[o, c] += x[n][c] * delta[n][o]
    return output, dx, gw, gb


def slow_pooling(layer, x, delta):
    """Return the exact sums of output and input gradient, by index."""
    average = isinstance(layer.operation, AveragePooling)
    output, dx = Counter(), Counter()
    for n, c in product(range(len(x)), range(layer.input_shape[0])):
        largest = {}
        for (i, j), _, (p, q) in pairs(layer):
            value = x[n][c][p][q]
            if average:
                output[n, c, i, j] += value
                dx[n, c, p, q] += delta[n][c][i][j]
            elif (i, j) not in largest or value > largest[i, j][0]:
                largest[i, j] = value, p, q
        for (i, j), (value, p, q) in largest.items():
            output[n, c, i, j] = value
            dx[n, c, p, q] += delta[n][c][i][j]
    return output, dx


def assert_rounded(actual, sums, shift, limit=INT16):
    """`sums` holds exact sums by index; where nothing was summed they are 0."""
    assert actual.dtype == torch.float64
    for index in product(*(range(size) for size in actual.shape)):
        assert float(actual[index]) == rounded(sums[index], shift, limit), index


def integers(shape, seed, limit=INT16):
    """Random integers of a random magnitude, so that ties are likely, and both extremes."""
    generator = torch.Generator().manual_seed(seed)
    size = 2 ** int(torch.randint(0, limit.bit_length(), (), generator=generator))
    values = torch.randint(-size, size + 1, shape, generator=generator)
    which = torch.randint(0, 8, shape, generator=generator)
    values = torch.where(which == 0, limit, torch.where(which == 1, -limit, values))
    return values.clamp(-limit, limit).double()


def ints(tensor):
    return tensor.long().tolist()


@st.composite
def image_layers(draw, kind, kernels=(1, 2, 3, 5)):
    """A layer on images: random channels, kernel, stride and padding in both directions."""

    def pair(values):
        return draw(values), draw(values)

    kernel, stride = pair(st.sampled_from(kernels)), pair(st.integers(1, 3))
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    extra = pair(st.integers(0, 4))
    size = [max(1, k - 2 * p) + e for k, p, e in zip(kernel, padding, extra, strict=True)]
    spatial = zip(size, kernel, stride, padding, strict=True)
    output = [(s + 2 * p - k) // t + 1 for s, k, t, p in spatial]
    channels, filters = draw(small), draw(small)
    if kind is Convolution:
        op = Convolution(channels, filters, kernel, stride, padding)
    else:
        op, filters = kind(kernel, stride, padding), channels
    return Layer("it", op, (channels, *size), (filters, *output))


linear_layers = st.builds(lambda n, m: Layer("it", Linear(n, m), (n,), (m,)), small, small)


def arithmetic_of(layer, scales):
    return Int16(Network((layer,), 2), Scales({layer.name: scales}, logits=10, batch_size=4))


def trained_scales(forward, backward, left, weight_gradient, bias_gradient):
    """Scales of a layer with weights that drop just these bits."""
    x, weight, delta = 9, 14, 13
    gradients = x + delta - weight_gradient, 14 + delta - bias_gradient
    trained = WeightScales(weight, x + weight - left, *gradients)
    return LayerScales(x, x + weight - forward, delta + weight - backward, delta, trained)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(image_layers(Convolution), linear_layers), small,
    st.tuples(shifts, shifts, st.integers(0, 8), shifts, shifts), seeds,
)  # fmt: skip
def test_layers_with_weights_agree_to_the_bit(layer, batch, bits, seed):
    forward, backward, left, weight_shift, bias_shift = bits
    arithmetic = arithmetic_of(layer, trained_scales(*bits))
    op, convolution = layer.operation, isinstance(layer.operation, Convolution)
    shape = (
        (op.out_channels, op.in_channels, *op.kernel)
        if convolution
        else (op.out_features, op.in_features)
    )
    x = integers((batch, *layer.input_shape), seed)
    delta = integers((batch, *layer.output_shape), seed + 1)
    weight, bias = integers(shape, seed + 2, INT32), integers(shape[:1], seed + 3, INT32)

    def halved(values):
        return rounded(values, 16) if isinstance(values, int) else [halved(v) for v in values]

    slow = slow_convolution if convolution else slow_linear
    shifted_bias = [one << left for one in ints(bias)]
    output, dx, gw, gb = slow(layer, ints(x), halved(ints(weight)), shifted_bias, ints(delta))

    actual, mask = arithmetic.forward(layer, (weight, bias), x)
    assert mask is None
    assert_rounded(actual, output, forward)
    assert_rounded(arithmetic.input_gradient(layer, (weight, bias), None, delta), dx, backward)
    weight_gradient, bias_gradient = arithmetic.weight_gradient(layer, x, delta)
    assert_rounded(weight_gradient, gw, 0, 2**47)
    assert_rounded(bias_gradient, gb, 0, 2**47)

    momenta = [(torch.zeros_like(weight), torch.zeros_like(bias))]
    rule = UpdateRule(0.0, 0.0, 0.0)
    arithmetic.update([(weight, bias)], momenta, [(weight_gradient, bias_gradient)], rule)
    assert_rounded(momenta[0][0], gw, weight_shift, INT32)
    assert_rounded(momenta[0][1], gb, bias_shift, INT32)


@settings(max_examples=100, deadline=None)
@given(image_layers(AveragePooling, (1, 2, 4)), small, shifts, shifts, seeds)
def test_average_pooling_agrees_to_the_bit(layer, batch, forward, backward, seed):
    window = layer.operation.kernel[0] * layer.operation.kernel[1]
    bits = window.bit_length() - 1
    scales = LayerScales(10, 10 + bits - forward, 12 + bits - backward, 12)
    check_pooling(layer, scales, batch, forward, backward, seed)


@settings(max_examples=100, deadline=None)
@given(image_layers(MaxPooling), small, seeds)
def test_max_pooling_agrees_to_the_bit(layer, batch, seed):
    check_pooling(layer, LayerScales(10, 10, 12, 12), batch, 0, 0, seed)


def check_pooling(layer, scales, batch, forward, backward, seed):
    arithmetic = arithmetic_of(layer, scales)
    x = integers((batch, *layer.input_shape), seed)
    delta = integers((batch, *layer.output_shape), seed + 1)
    output, dx = slow_pooling(layer, ints(x), ints(delta))
    actual, mask = arithmetic.forward(layer, None, x)
    assert_rounded(actual, output, forward)
    assert_rounded(arithmetic.input_gradient(layer, None, mask, delta), dx, backward)


def test_relu_passes_a_delta_only_above_zero():
    layer = Layer("it", ReLU(), (4,), (4,))
    arithmetic = arithmetic_of(layer, LayerScales(10, 10, 12, 12))
    output, mask = arithmetic.forward(layer, None, torch.tensor([[-1.0, 0, 1, 32767]]).double())
    delta = arithmetic.input_gradient(layer, None, mask, torch.tensor([[5.0, 6, -7, 8]]).double())
    assert output.tolist() == [[0, 0, 1, 32767]]
    assert delta.tolist() == [[0, 0, -7, 8]]


def test_flatten_orders_channel_row_column():
    layer = Layer("it", Flatten(), (2, 2, 3), (12,))
    arithmetic = arithmetic_of(layer, LayerScales(10, 10, 12, 12))
    image = torch.arange(12.0).double().view(1, 2, 2, 3)
    output, _ = arithmetic.forward(layer, None, image)
    assert output.tolist() == [list(range(12))]
    assert torch.equal(arithmetic.input_gradient(layer, None, None, output), image)


def test_the_first_of_equal_values_is_the_largest():
    layer = Layer("it", MaxPooling((2, 2), (2, 2), (0, 0)), (1, 2, 2), (1, 1, 1))
    arithmetic = arithmetic_of(layer, LayerScales(10, 10, 12, 12))
    _, mask = arithmetic.forward(layer, None, torch.full((1, 1, 2, 2), -3.0).double())
    delta = arithmetic.input_gradient(layer, None, mask, torch.full((1, 1, 1, 1), 9.0).double())
    assert delta.flatten().tolist() == [9, 0, 0, 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_widest_allowed_sum_is_exact(sign):
    """65,540 products of the largest values and the largest bias: just below 2^47."""
    terms = 65540
    layer = Layer("it", Linear(terms, 1), (terms,), (1,))
    arithmetic = arithmetic_of(layer, trained_scales(32, 0, 15, 0, 0))
    x = torch.full((1, terms), float(INT16)).double()
    weight, bias = x.sign() * sign * INT32, torch.tensor([float(sign)]).double() * INT32
    x[0, 0] -= 1
    total = sign * ((terms - 1) * INT16**2 + (INT16 - 1) * INT16 + (INT32 << 15))
    assert 2**46 < abs(total) < 2**47
    output, _ = arithmetic.forward(layer, (weight, bias), x)
    assert int(output) == rounded(total, 32)


def test_saturations_are_counted_by_layer_and_tensor():
    layer = Layer("it", Linear(1, 3), (1,), (3,))
    scales = Scales({"it": trained_scales(0, 0, 0, 0, 0)}, logits=10, batch_size=4)
    saturations = Counter()
    arithmetic = Int16(Network((layer,), 3), scales, saturations)
    weight = torch.tensor([[32767.0], [-32767], [32768]]).double() * 2**16
    arithmetic.forward(layer, (weight / 32767, torch.zeros(3).double()), torch.ones(2, 1).double())
    assert saturations["it", "output"] == 0
    large = torch.full((2, 1), 2.0).double()
    arithmetic.forward(layer, (weight, torch.zeros(3).double()), large)
    assert saturations == {("it", "output"): 6}


def test_the_update_takes_each_tensor_at_its_own_scale():
    layer = Layer("it", Linear(1, 1), (1,), (1,))
    scales = trained_scales(0, 0, 2, 3, 5)
    arithmetic = arithmetic_of(layer, scales)
    rule = UpdateRule(0.5, 0.9, 0.0)
    weights, momenta, gradients = (
        [(torch.tensor([[a]]).double(), torch.tensor([b]).double())]
        for a, b in ((1e6, 2e6), (0.0, 0.0), (8e6, 3.2e7))
    )
    arithmetic.update(weights, momenta, gradients, rule)
    assert [float(one) for one in momenta[0]] == [1e6, 1e6]
    trained = scales.trained
    for moved, before, kinds in (
        (weights[0][0], 10**6, (trained.weight_master, trained.weight_gradient)),
        (weights[0][1], 2 * 10**6, (trained.bias, trained.bias_gradient)),
    ):
        numbers = step_integers(rule, 4, *kinds)
        assert int(moved) == before - rounded(10**6 * numbers.rate, numbers.rate_shift, INT32)
