"""Time of each layer function of `cifar-cnn`, at batch 32, on one thread."""

import pytest
import torch

from specbp.arithmetic.float32 import Float32
from specbp.network.lowering import lower
from specbp.network.models import build

BATCH = 32
NETWORK, WEIGHTS = lower(build("cifar-cnn", 3, 100, seed=0), (3, 32, 32), 100)
ITERATOR = iter(WEIGHTS)
LAYERS = [(layer, next(ITERATOR) if layer.has_weights else None) for layer in NETWORK.layers]
arithmetic = Float32()


@pytest.fixture(params=LAYERS, ids=lambda pair: pair[0].name)
def case(request):
    """A layer, its weights, an input, the mask its forward leaves and a delta at its output."""
    torch.set_num_threads(1)
    layer, weights = request.param
    x = torch.randn(BATCH, *layer.input_shape)
    output, mask = arithmetic.forward(layer, weights, x)
    return layer, weights, x, mask, torch.randn_like(output)


def test_forward(benchmark, case):
    layer, weights, x, _, _ = case
    benchmark(arithmetic.forward, layer, weights, x)


def test_input_gradient(benchmark, case):
    layer, weights, _, mask, delta = case
    benchmark(arithmetic.input_gradient, layer, weights, mask, delta)


WITH_WEIGHTS = [pair for pair in LAYERS if pair[0].has_weights]


@pytest.mark.parametrize("case", WITH_WEIGHTS, indirect=True, ids=lambda pair: pair[0].name)
def test_weight_gradient(benchmark, case):
    layer, _, x, _, delta = case
    benchmark(arithmetic.weight_gradient, layer, x, delta)


def test_softmax_cross_entropy(benchmark):
    logits, labels = torch.randn(BATCH, 100), torch.randint(100, (BATCH,))
    benchmark(arithmetic.softmax_cross_entropy, logits, labels)
