"""The outline of a network, which plans are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from specbp.arithmetic import UpdatePart
from specbp.network import Convolution, Layer, Linear, Network, ReLU
from specbp.plan.outline import Node, Outline


def outline_of(network: Network, parts: Sequence[UpdatePart] | None = None) -> Outline:
    """Return the outline of `network`.

    Args:
        network: the chain of layers.
        parts: parts of the weight update, by position among the layers with weights; None for one
            of each such layer.
    """
    layers = network.layers
    nodes = [
        Node(layer.name, layer.has_weights, _mask(layers, index), _work(layer))
        for index, layer in enumerate(layers)
    ]
    nodes.append(Node("loss", mask=len(layers), work=float(network.classes)))
    trained = [index for index, layer in enumerate(layers) if layer.has_weights]
    layers_of = [part.layers for part in parts or ()] or [(one,) for one in range(len(trained))]
    updates = tuple(tuple(trained[position] for position in one) for one in layers_of)
    return Outline(tuple(nodes), updates)


def _mask(layers: Sequence[Layer], index: int) -> int | None:
    """Return the node that saves the mask of a layer: the output of a ReLU is an input too."""
    if not layers[index].has_mask:
        return None
    is_relu = isinstance(layers[index].operation, ReLU)
    followed = index + 1 < len(layers) and layers[index + 1].has_weights
    return index + 1 if is_relu and followed else index


def _work(layer: Layer) -> float:
    """Return the multiply-accumulates of a sample, or the values that are read and written."""
    outputs = math.prod(layer.output_shape)
    match layer.operation:
        case Convolution() as op:
            return float(outputs * op.in_channels * math.prod(op.kernel))
        case Linear() as op:
            return float(op.in_features * op.out_features)
        case _:
            return float(outputs + math.prod(layer.input_shape))
