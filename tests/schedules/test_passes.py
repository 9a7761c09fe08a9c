import torch

from specbp.schedules.passes import by_layer, forward, input_gradients, only, weight_gradients


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
    input_gradients(bench.network, counting, bench.weights, outcome.masks, delta)
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
    delta = bench.arithmetic.logit_gradient(outcome.probabilities, labels, 3)
    deltas = input_gradients(bench.network, bench.arithmetic, bench.weights, outcome.masks, delta)
    gradients = weight_gradients(bench.network, bench.arithmetic, outcome.inputs, deltas)
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


def test_all_rows_are_handed_out_without_a_copy_and_some_as_a_copy():
    tensors = [torch.arange(3), None]
    assert only(tensors, torch.tensor([0, 1, 2])) is tensors
    some = only(tensors, torch.tensor([0, 2]))
    assert some[0].tolist() == [0, 2]
    assert some[1] is None
