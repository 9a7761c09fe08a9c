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
        network: the chain of layers.
        arithmetic: number format of the training.
        weights: weights of each layer with weights, in forward order.
        images: [batch, channels, height, width], as the first layer takes them.
    """
    remaining = iter(weights)
    x = images
    for layer in network.layers:
        x, _ = arithmetic.forward(layer, next(remaining) if layer.has_weights else None, x)
    return x
