"""A network as a graph of layers: the one form everything else reads.

Layers come in an order in which each stands behind those it reads. A chain is a graph in which
every layer reads the one before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from typing import TypeAlias

from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
"""Shape of one sample, without the batch dimension."""

Pair: TypeAlias = tuple[int, int]
"""(vertical, horizontal)."""


@dataclass(frozen=True)
class Convolution:
    """2-D cross-correlation; weight [out_channels, in_channels / groups, *kernel]."""

    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair
    padding: Pair
    groups: int = 1
    bias: bool = True


@dataclass(frozen=True)
class Linear:
    """``x @ weight.T + bias``; weight [out_features, in_features]."""

    in_features: int
    out_features: int
    bias: bool = True


@dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""


@dataclass(frozen=True)
class LeakyReLU:
    """x where it is above 0, slope * x elsewhere; the slope is not negative."""

    slope: float


@dataclass(frozen=True)
class SiLU:
    """x * sigmoid(x)."""


@dataclass(frozen=True)
class GELU:
    """x * Φ(x), with the normal distribution Φ as PyTorch's ``approximate`` says: none, tanh."""

    approximate: str = "none"


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


@dataclass(frozen=True)
class Addition:
    """The sum of two layers' outputs of one shape: a residual connection."""


@dataclass(frozen=True)
class BatchNorm:
    """Each channel normalised over the batch; in evaluation by the running statistics."""

    channels: int
    eps: float
    momentum: float


@dataclass(frozen=True)
class GroupNorm:
    """Each group of channels of a sample normalised by itself."""

    groups: int
    channels: int
    eps: float


@dataclass(frozen=True)
class Dropout:
    """Values set to 0 with a probability, the others scaled up; in evaluation nothing."""

    probability: float


Operation: TypeAlias = (
    Convolution | Linear | ReLU | LeakyReLU | SiLU | GELU | MaxPooling | AveragePooling | Flatten
    | Addition | BatchNorm | GroupNorm | Dropout
)  # fmt: skip

TRAINED = Convolution, Linear, BatchNorm, GroupNorm
"""Operations with weights."""
NORMS = BatchNorm, GroupNorm
"""Operations whose input gradient makes the weight gradient beside it."""
CHAIN_OPERATIONS = Convolution, Linear, ReLU, MaxPooling, AveragePooling, Flatten
"""Operations that int16 arithmetic and the passes for GPUs have."""


@dataclass(frozen=True)
class Layer:
    """A node of the graph.

    Attributes:
        name: name of the layer in the user's model; no two layers have the same.
        operation: what it computes.
        input_shape: shape of a sample of each of its inputs.
        output_shape: shape of a sample of its output.
        inputs: names of the layers that it reads, `IMAGES` for the images; empty stands for the
            layer before it.
    """

    name: str
    operation: Operation
    input_shape: Shape
    output_shape: Shape
    inputs: tuple[str, ...] = ()

    @property
    def has_weights(self) -> bool:
        """Whether the layer is trained."""
        return isinstance(self.operation, TRAINED)

    @property
    def has_mask(self) -> bool:
        """Whether forward leaves something behind for the layer's own input gradient."""
        return isinstance(self.operation, (ReLU, LeakyReLU, MaxPooling, Dropout, *NORMS))

    @property
    def reads_input(self) -> bool:
        """Whether the layer's own input gradient needs what the layer has read."""
        return isinstance(self.operation, (SiLU, GELU, *NORMS))


IMAGES = "images"
"""What a layer reads that reads no other layer."""


@dataclass(frozen=True)
class Network:
    """A graph of layers that ends in one logit per class; the loss is softmax cross-entropy.

    Attributes:
        layers: each stands behind those it reads; the last one gives the logits.
        classes: number of labels.
    """

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
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """The values that each layer reads: 0 for the images, n + 1 for the output of layer n."""
        numbers = {layer.name: index + 1 for index, layer in enumerate(self.layers)} | {IMAGES: 0}
        return tuple(
            tuple(numbers[name] for name in layer.inputs) or (index,)
            for index, layer in enumerate(self.layers)
        )

    def readers(self, value: int) -> list[int]:
        """Return the layers that read a value, numbered as in `sources`."""
        return [index for index, values in enumerate(self.sources) if value in values]

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads the one before it and nothing else."""
        return all(values == (index,) for index, values in enumerate(self.sources))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of what the network computes: operations and shapes, not the names of layers."""
        lines = [
            f"{layer.input_shape} {_written(layer.operation)} {layer.output_shape}"
            + ("" if values == (index,) else f" of {values}")
            for index, (layer, values) in enumerate(zip(self.layers, self.sources, strict=True))
        ]
        return hashlib.sha256("\n".join([*lines, f"{self.classes} classes"]).encode()).hexdigest()


def _written(operation: Operation) -> str:
    """Return an operation with those settings that are not as they are if left out."""
    settings = [(one, getattr(operation, one.name)) for one in fields(operation)]
    written = [f"{one.name}={value!r}" for one, value in settings if value != one.default]
    return f"{type(operation).__name__}({', '.join(written)})"


def chain_fault(network: Network) -> str | None:
    """Return what only a graph of layers can represent, None for a chain of `CHAIN_OPERATIONS`."""
    for index, layer in enumerate(network.layers):
        op = layer.operation
        kind = type(op).__name__
        if not isinstance(op, CHAIN_OPERATIONS):
            return f"layer {layer.name} is {kind}"
        if isinstance(op, Convolution) and op.groups > 1:
            return f"layer {layer.name} has {op.groups} groups"
        if isinstance(op, Convolution | Linear) and not op.bias:
            return f"layer {layer.name} has no bias"
        if network.sources[index] != (index,):
            return f"layer {layer.name} does not read the layer before it"
    return None


Weights: TypeAlias = tuple[Tensor, ...]
"""Tensors of one layer: its weight, its bias where it has one, then running mean and variance of a
batch norm. Gradients and momenta of a layer are those of `trained_tensors`."""


def trained_tensors(weights: Weights) -> Weights:
    """Return weight and bias of a layer, without what its forward alone changes."""
    return weights[:2]


def pooled_first(network: Network) -> Network:
    """Return the same function with every max pooling moved before the ReLU it follows.

    Both only choose or keep values in their order, so they commute, gradients included, and the
    ReLU then works on the pooled image only. A ReLU that other layers read too stays where it is.
    """
    layers = list(network.layers)
    for index in range(1, len(layers)):
        relu, pooling = layers[index - 1], layers[index]
        swaps = isinstance(relu.operation, ReLU) and isinstance(pooling.operation, MaxPooling)
        if swaps and network.sources[index] == (index,) and len(network.readers(index)) == 1:
            # Each keeps the place of the other in the graph, and with it what is read there.
            layers[index - 1] = replace(pooling, inputs=relu.inputs)
            layers[index] = replace(
                relu,
                input_shape=pooling.output_shape,
                output_shape=pooling.output_shape,
                inputs=(),
            )
    return replace(network, layers=tuple(_renamed(network, layers)))


def _renamed(network: Network, layers: Sequence[Layer]) -> list[Layer]:
    """Return `layers`, which read by place what those of `network` read, with the names for it."""
    names = [IMAGES, *(layer.name for layer in layers)]
    return [
        replace(layer, inputs=tuple(names[value] for value in values)) if layer.inputs else layer
        for layer, values in zip(layers, network.sources, strict=True)
    ]


def weights_sha256(weights: Sequence[Weights]) -> str:
    """Return the SHA-256 of `weights`, in their own number format."""
    digest = hashlib.sha256()
    for tensor in chain.from_iterable(weights):
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
