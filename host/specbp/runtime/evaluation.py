"""The forward pass alone, for evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Network, Weights


def logits(
    network: Network, arithmetic: Arithmetic, weights: Sequence[Weights], images: Tensor
) -> Tensor:
    """Return the logits [batch, classes] of encoded images.

    Args:
        network: the graph of layers.
        arithmetic: number format of the training.
        weights: weights of each layer with weights, in forward order.
        images: [batch, channels, height, width], as the first layer takes them.
    """
    remaining = iter(weights)
    values = {0: images}
    last_readers = {value: max(network.readers(value)) for value in range(len(network.layers))}
    for index, (layer, numbers) in enumerate(zip(network.layers, network.sources, strict=True)):
        own = next(remaining) if layer.has_weights else None
        values[index + 1] = arithmetic.infer(layer, own, *(values[number] for number in numbers))
        for number in numbers:
            if last_readers[number] == index:
                values.pop(number, None)
    return values[len(network.layers)]
