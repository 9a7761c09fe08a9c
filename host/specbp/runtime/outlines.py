"""The outline of a network, which plans are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import replace

from specbp.arithmetic import UpdatePart
from specbp.network import (
    NORMS,
    BatchNorm,
    Convolution,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    Network,
    ReLU,
)
from specbp.plan.outline import Node, Outline


def outline_of(network: Network, parts: Sequence[UpdatePart] | None = None) -> Outline:
    """Return the outline of `network`.

    Args:
        network: the chain of layers.
        parts: parts of the weight update, by position among the layers with weights; None for one
            of each such layer.
    """
    layers = network.layers
    plain = [
        Node(
            layer.name,
            layer.has_weights,
            work=_work(layer),
            inputs=() if values == (index,) else values,
            reads_input=layer.reads_input,
            makes_both=isinstance(layer.operation, NORMS),
            couples=isinstance(layer.operation, BatchNorm),
            draws=isinstance(layer.operation, Dropout),
        )
        for index, (layer, values) in enumerate(zip(layers, network.sources, strict=True))
    ]
    plain.append(Node("loss", mask=len(layers), work=float(network.classes)))
    kept = Outline(tuple(plain), ()).kept
    nodes = [
        replace(node, mask=_mask(layer, index, kept))
        for index, (node, layer) in enumerate(zip(plain[:-1], layers, strict=True))
    ]
    trained = [index for index, layer in enumerate(layers) if layer.has_weights]
    layers_of = [part.layers for part in parts or ()] or [(one,) for one in range(len(trained))]
    updates = tuple(tuple(trained[position] for position in one) for one in layers_of)
    return Outline((*nodes, plain[-1]), updates)


def _mask(layer: Layer, index: int, kept: Set[int]) -> int | None:
    """Return the place of a layer's mask: the output of a ReLU is the input of a layer too."""
    if not layer.has_mask:
        return None
    is_output = isinstance(layer.operation, ReLU | LeakyReLU)
    return index + 1 if is_output and index + 1 in kept else index


def _work(layer: Layer) -> float:
    """Return the multiply-accumulates of a sample, or the values that are read and written."""
    outputs = math.prod(layer.output_shape)
    match layer.operation:
        case Convolution() as op:
            return float(outputs * op.in_channels // op.groups * math.prod(op.kernel))
        case Linear() as op:
            return float(op.in_features * op.out_features)
        case _:
            return float(outputs + math.prod(layer.input_shape))
