"""Every layer function against autograd, over random shapes, strides and padding."""

import copy
from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from specbp.arithmetic import Numbers, UpdateRule
from specbp.arithmetic.float32 import (
    PART_ELEMENTS,
    Float32,
    clear_subnormals,
    predict,
    predicting_parts,
)
from specbp.network.lowering import lower

arithmetic = Float32()
small = st.integers(1, 4)


@st.composite
def images_and_layers(draw):
    """A layer that needs an image, and an image [batch, channels, height, width] that fits it."""
    channels, kernel = draw(small), draw(st.sampled_from([1, 2, 3, 5]))
    stride = draw(st.integers(1, 2))
    padding = draw(st.integers(0, kernel // 2))
    least = max(1, kernel - 2 * padding)
    height, width = draw(st.integers(least, least + 6)), draw(st.integers(least, least + 6))
    layer = draw(
        st.sampled_from(
            [
                nn.Conv2d(channels, draw(small), kernel, stride, padding),
                nn.MaxPool2d(kernel, stride, padding),
                nn.AvgPool2d(kernel, stride, padding),
                nn.ReLU(),
            ]
        )
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    image = torch.randn(draw(small), channels, height, width, generator=generator)
    return layer, image


def lowered(module, image_shape):
    """Lower one layer, with what it takes to end in a logit behind it, and return it alone."""
    tail = [nn.Flatten()] if not isinstance(module, nn.Linear) else []
    probe = nn.Sequential(copy.deepcopy(module), *tail)
    features = probe(torch.zeros(1, *image_shape)).shape[1]
    network, weights = lower(nn.Sequential(*probe, nn.Linear(features, 2)), image_shape, 2)
    return network.layers[0], weights[0]


def assert_close(actual, expected):
    """Agree to 1e-5 of the largest value: sums of floats in another order differ by less."""
    expected = expected.detach()
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5 * scale)


@settings(max_examples=150, deadline=None)
@given(images_and_layers())
def test_a_layer_agrees_with_autograd(case):
    module, image = case
    layer, weights = lowered(module, tuple(image.shape[1:]))
    x = image.clone().requires_grad_()
    expected = module(x)
    delta = torch.randn_like(expected)
    expected.backward(delta)

    output, mask = arithmetic.forward(layer, weights, image)
    assert_close(output, expected)
    assert_close(arithmetic.input_gradient(layer, weights, mask, delta), x.grad)
    if layer.has_weights:
        weight_gradient, bias_gradient = arithmetic.weight_gradient(layer, image, delta)
        assert_close(weight_gradient, module.weight.grad)
        assert_close(bias_gradient, module.bias.grad)


@settings(max_examples=50, deadline=None)
@given(small, small, small)
def test_linear_agrees_with_autograd(batch, inputs, outputs):
    module = nn.Linear(inputs, outputs)
    layer, weights = lowered(module, (inputs,))
    x = torch.randn(batch, inputs, requires_grad=True)
    expected = module(x)
    delta = torch.randn_like(expected)
    expected.backward(delta)

    output, mask = arithmetic.forward(layer, weights, x.detach())
    weight_gradient, bias_gradient = arithmetic.weight_gradient(layer, x.detach(), delta)
    assert_close(output, expected)
    assert_close(arithmetic.input_gradient(layer, weights, mask, delta), x.grad)
    assert_close(weight_gradient, module.weight.grad)
    assert_close(bias_gradient, module.bias.grad)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(2, 20))
def test_the_loss_and_its_gradient_agree_with_autograd(batch, classes):
    logits = (10 * torch.randn(batch, classes)).requires_grad_()
    labels = torch.randint(classes, (batch,))
    expected = functional.cross_entropy(logits, labels, reduction="none")
    expected.mean().backward()

    probabilities, losses = arithmetic.softmax_cross_entropy(logits.detach(), labels)
    assert_close(losses, expected)
    assert_close(arithmetic.logit_gradient(probabilities, labels, batch), logits.grad)


def test_the_gradient_of_some_samples_keeps_the_scale_of_the_whole_batch():
    probabilities, labels = torch.softmax(torch.randn(6, 4), 1), torch.arange(6) % 4
    whole = arithmetic.logit_gradient(probabilities, labels, 6)
    some = torch.tensor([1, 4])
    part = arithmetic.logit_gradient(probabilities[some], labels[some], 6)
    assert torch.equal(part, whole[some])


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_updates_agree_with_torch_sgd(momentum, nesterov, weight_decay, memory_format):
    arithmetic, module = Float32(memory_format), nn.Conv2d(5, 3, 2)
    initial = [(module.weight.detach().clone(), module.bias.detach().clone())]
    weights = arithmetic.encode_weights(initial)
    momenta = [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in weights]
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=0.1,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )
    rule = UpdateRule(0.1, momentum, weight_decay, nesterov)
    for _ in range(4):
        gradients = arithmetic.encode_weights([(torch.randn(3, 5, 2, 2), torch.randn(3))])
        module.weight.grad, module.bias.grad = (one.clone() for one in gradients[0])
        optimizer.step()
        arithmetic.update(weights, momenta, gradients, rule)
        assert_close(weights[0][0], module.weight.detach())
        assert_close(weights[0][1], module.bias.detach())


def test_adding_gradients_adds_weights_and_biases():
    first, second = [(torch.ones(2, 2), torch.ones(2))], [(torch.full((2, 2), 3.0), torch.ones(2))]
    ((weight, bias),) = arithmetic.add(first, second)
    assert torch.equal(weight, torch.full((2, 2), 4.0))
    assert torch.equal(bias, torch.full((2,), 2.0))


SHAPES = {
    "convolution": ((16, 3, 5, 5), (16,)),
    "small": ((10, 84), (10,)),
    "in one part": ((128, 64, 3, 3), (128,)),
    **{
        f"{columns} columns": ((3 * PART_ELEMENTS // columns, columns), (7,))
        for columns in (84, 256, 1000)
    },
}


def draw(shapes):
    (pair,) = Float32(torch.channels_last).encode_weights([tuple(map(torch.randn, shapes))])
    return pair


def copied(pair):
    return tuple(one.clone() for one in pair)


def test_an_update_in_parts_has_the_bits_of_the_whole():
    weights, momenta, gradients = (list(map(draw, SHAPES.values())) for _ in range(3))
    expected = list(map(copied, weights)), list(map(copied, momenta))
    rule = UpdateRule(learning_rate=0.013, momentum=0.9, weight_decay=0.001)
    Float32().update(*expected, gradients, rule)
    for part in reversed(Float32().update_parts(weights, momenta)):
        part.do([gradients[layer] for layer in part.layers], Numbers(rule))
    for pairs, others in zip((weights, momenta), expected, strict=True):
        assert all(map(torch.equal, chain(*pairs), chain(*others)))


def test_large_layers_are_updated_in_several_parts_and_small_ones_together():
    weights, momenta = (list(map(draw, SHAPES.values())) for _ in range(2))
    layers = [part.layers for part in Float32().update_parts(weights, momenta)]
    assert layers == [(2,), *[(3,)] * 3, *[(4,)] * 3, *[(5,)] * 3, (0, 1)]


def test_weights_are_predicted_as_they_are_updated():
    shapes = (2 * PART_ELEMENTS // 100, 100), (7,)
    weights, momenta, gradients, ahead, expected = (draw(shapes) for _ in range(5))
    rule = UpdateRule(learning_rate=0.01, momentum=0.9, weight_decay=0.0)
    for part in predicting_parts([weights], [momenta], [ahead]):
        part.do([gradients], Numbers(rule, 0.03))
    predict([weights], [momenta], [expected], 0.03)
    for weight, momentum, one, other in zip(weights, momenta, ahead, expected, strict=True):
        assert torch.equal(one, other)
        assert_close(one, weight - 0.03 * momentum)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_too_small_to_be_normal_are_cleared_and_no_others(dtype):
    tiny = torch.finfo(dtype).tiny
    momentum = torch.tensor([tiny, -tiny, tiny / 2, -tiny / 1024, 0.0, 1.0], dtype=dtype)
    bias = torch.tensor([tiny / 4], dtype=dtype)
    clear_subnormals([(momentum, bias)])
    assert momentum.tolist() == [tiny, -tiny, 0.0, 0.0, 0.0, 1.0]
    assert bias.tolist() == [0.0]
