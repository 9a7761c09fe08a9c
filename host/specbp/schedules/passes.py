"""Forward, input gradients and weight gradients of a whole chain of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Layer, Network, Weights
from specbp.schedules.outcome import Outcome


def by_layer(network: Network, weights: Sequence[Weights]) -> list[Weights | None]:
    """Return `weights` with one entry per layer: None for layers that have none."""
    remaining = iter(weights)
    return [next(remaining) if layer.has_weights else None for layer in network.layers]


def forward(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    images: Tensor,
    labels: Tensor,
) -> tuple[Outcome, Tensor]:
    """Run the chain on a batch.

    Args:
        network: the chain of layers.
        arithmetic: number format of the training.
        weights: of each layer with weights, in forward order.
        images: [batch, channels, height, width], normalised.
        labels: int64 [batch].

    Returns:
        The outcome, and the loss of each sample [batch], in nat.
    """
    return _forward_from(0, network, arithmetic, weights, images, labels)


def refreshed(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    outcome: Outcome,
    layers: int,
) -> Outcome:
    """Evaluate the last `layers` layers with weights again, from the cached input of the first.

    What lies before them stays as it was cached; softmax, masks and inputs from there on are
    those of the current `weights`.
    """
    if not layers:
        return outcome
    first = refresh_start(network, layers)
    x = outcome.inputs[first]
    assert x is not None
    again, _ = _forward_from(first, network, arithmetic, weights, x, outcome.labels)
    return Outcome(
        again.labels,
        again.probabilities,
        (*outcome.masks[:first], *again.masks),
        (*outcome.inputs[:first], *again.inputs),
    )


def refresh_start(network: Network, layers: int) -> int:
    """Return the index of the first of the last `layers` layers with weights."""
    return [index for index, layer in enumerate(network.layers) if layer.has_weights][-layers]


def _forward_from(
    first: int,
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    x: Tensor,
    labels: Tensor,
) -> tuple[Outcome, Tensor]:
    """Run the chain from layer `first` on; masks and inputs begin there."""
    masks: list[Tensor | None] = []
    inputs: list[Tensor | None] = []
    chain = list(zip(network.layers, by_layer(network, weights), strict=True))
    for layer, weight in chain[first:]:
        inputs.append(x if layer.has_weights else None)
        x, mask = arithmetic.forward(layer, weight, x)
        masks.append(mask)
    probabilities, losses = arithmetic.softmax_cross_entropy(x, labels)
    return Outcome(labels, probabilities, tuple(masks), tuple(inputs)), losses


def propagate(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    masks: Sequence[Tensor | None],
    delta: Tensor,
) -> Iterator[tuple[int, Tensor]]:
    """Propagate `delta` from the logits down the chain, handing out what the weights need.

    Yields:
        The index of each layer with weights, the last first, and the gradient at its output, as
        soon as it is known. Nothing is propagated below the first of them.
    """
    last = network.first_weights
    per_layer = by_layer(network, weights)
    for index in range(len(network.layers) - 1, last - 1, -1):
        layer = network.layers[index]
        if layer.has_weights:
            yield index, delta
        if index > last:
            delta = arithmetic.input_gradient(layer, per_layer[index], masks[index], delta)


def weight_gradients(
    network: Network,
    weight_gradient: Callable[[Layer, Tensor, Tensor], Weights],
    inputs: Sequence[Tensor | None],
    deltas: Sequence[Tensor],
) -> list[Weights]:
    """Return the weight gradients of each layer with weights, summed over the batch.

    Args:
        network: the chain of layers.
        weight_gradient: gives that of one layer, from its input and its delta.
        inputs: `Outcome.inputs`.
        deltas: of each layer with weights, in forward order.
    """
    pairs = [(layer, x) for layer, x in zip(network.layers, inputs, strict=True) if x is not None]
    return [
        weight_gradient(layer, x, delta) for (layer, x), delta in zip(pairs, deltas, strict=True)
    ]
