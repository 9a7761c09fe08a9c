"""A chain of layers: the one graph form everything else reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
"""Shape of one sample, without the batch dimension."""

Pair: TypeAlias = tuple[int, int]
"""(vertical, horizontal)."""


@dataclass(frozen=True)
class Convolution:
    """2-D cross-correlation with a bias; weight [out_channels, in_channels, *kernel]."""

    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True)
class Linear:
    """``x @ weight.T + bias``; weight [out_features, in_features]."""

    in_features: int
    out_features: int


@dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPooling:
    """Largest value of each window; the first one wins a tie."""

    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True)
class AveragePooling:
    """Mean of each window, padding counted in."""

    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True)
class Flatten:
    """[channels, height, width] to [features]."""


Operation: TypeAlias = Convolution | Linear | ReLU | MaxPooling | AveragePooling | Flatten


@dataclass(frozen=True)
class Layer:
    """One link of the chain: what it computes, on which shapes, under which name."""

    name: str
    operation: Operation
    input_shape: Shape
    output_shape: Shape

    @property
    def has_weights(self) -> bool:
        """Whether the layer is trained."""
        return isinstance(self.operation, Convolution | Linear)

    @property
    def has_mask(self) -> bool:
        """Whether forward leaves something behind for the layer's own input gradient."""
        return isinstance(self.operation, ReLU | MaxPooling)


@dataclass(frozen=True)
class Network:
    """A chain of layers that ends in one logit per class; the loss is softmax cross-entropy."""

    layers: tuple[Layer, ...]
    classes: int

    @cached_property
    def trained(self) -> tuple[Layer, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if layer.has_weights)

    @property
    def first_weights(self) -> int:
        """Index of the first layer with weights: no gradient is needed below its output."""
        return next(index for index, layer in enumerate(self.layers) if layer.has_weights)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of what the chain computes: operations and shapes, not the names of layers."""
        lines = [
            f"{layer.input_shape} {layer.operation} {layer.output_shape}" for layer in self.layers
        ]
        return hashlib.sha256("\n".join([*lines, f"{self.classes} classes"]).encode()).hexdigest()


Weights: TypeAlias = tuple[Tensor, Tensor]
"""Weight and bias of one layer, or their gradients or momenta."""


def pooled_first(network: Network) -> Network:
    """Return the same function with every max pooling moved before the ReLU it follows.

    Both only choose or keep values in their order, so they commute, gradients included, and the
    ReLU then works on the pooled image only.
    """
    layers = list(network.layers)
    for index in range(1, len(layers)):
        relu, pooling = layers[index - 1], layers[index]
        if isinstance(relu.operation, ReLU) and isinstance(pooling.operation, MaxPooling):
            layers[index - 1] = pooling
            layers[index] = replace(
                relu, input_shape=pooling.output_shape, output_shape=pooling.output_shape
            )
    return replace(network, layers=tuple(layers))


def weights_sha256(weights: Sequence[Weights]) -> str:
    """Return the SHA-256 of `weights`, in their own number format."""
    digest = hashlib.sha256()
    for weight, bias in weights:
        digest.update(weight.cpu().numpy().tobytes())
        digest.update(bias.cpu().numpy().tobytes())
    return digest.hexdigest()
