import pytest
import torch

from specbp.schedules.passes import (
    by_layer,
    forward,
    propagate,
    refreshed,
    weight_gradients,
)


class Counting:
    """An arithmetic that counts the layers whose input gradient is asked for."""

    def __init__(self, arithmetic):
        self._arithmetic, self.layers = arithmetic, []

    def input_gradient(self, layer, *rest):
        self.layers.append(layer.name)
        return self._arithmetic.input_gradient(layer, *rest)


def test_nothing_is_propagated_below_the_first_layer_with_weights(bench):
    images, labels = bench.batch(0, [0, 1])
    outcome, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    counting = Counting(bench.arithmetic)
    delta = bench.arithmetic.logit_gradient(outcome.probabilities, labels, 2)
    list(propagate(bench.network, counting, bench.weights, outcome.masks, delta))
    assert counting.layers == [layer.name for layer in reversed(bench.network.layers[1:])]


def test_forward_keeps_the_inputs_of_layers_with_weights_and_the_masks_of_others(bench):
    images, labels = bench.batch(0, [0, 1])
    outcome, losses = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    assert [one is not None for one in outcome.inputs] == [
        layer.has_weights for layer in bench.network.layers
    ]
    assert outcome.inputs[0] is images
    torch.testing.assert_close(outcome.probabilities.sum(1), torch.ones(2))
    torch.testing.assert_close(losses, -outcome.probabilities[[0, 1], labels].log())


def test_weight_gradients_have_the_shapes_of_the_weights(bench):
    images, labels = bench.batch(0, [0, 1, 2])
    outcome, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    deltas = bench.deltas_of(outcome, labels, 3)
    gradients = weight_gradients(
        bench.network, bench.arithmetic.weight_gradient, outcome.inputs, deltas
    )
    for (weight, bias), (weight_gradient, bias_gradient) in zip(
        bench.weights, gradients, strict=True
    ):
        assert weight.shape == weight_gradient.shape
        assert bias.shape == bias_gradient.shape


def test_weights_are_dealt_out_to_their_layers(bench):
    dealt = by_layer(bench.network, bench.weights)
    assert [one is not None for one in dealt] == [
        layer.has_weights for layer in bench.network.layers
    ]


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_refreshing_gives_the_last_layers_what_current_weights_make_of_cached_features(
    bench, layers
):
    images, labels = bench.batch(0, [0, 1, 2])
    cached, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    for weight, bias in bench.weights[-layers:]:
        weight.mul_(1.3)
        bias.add_(0.1)
    actual = refreshed(bench.network, bench.arithmetic, bench.weights, cached, layers)
    expected, _ = forward(bench.network, bench.arithmetic, bench.weights, images, labels)
    assert torch.equal(actual.probabilities, expected.probabilities)
    for one, other in zip(
        (*actual.masks, *actual.inputs), (*expected.masks, *expected.inputs), strict=True
    ):
        assert (one is None and other is None) or torch.equal(one, other)


def test_without_refresh_the_outcome_stays_as_it_was_cached(bench):
    cached, _ = forward(bench.network, bench.arithmetic, bench.weights, *bench.batch(0, [0, 1, 2]))
    assert refreshed(bench.network, bench.arithmetic, bench.weights, cached, 0) is cached
