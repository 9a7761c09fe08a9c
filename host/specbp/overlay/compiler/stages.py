"""A network as the overlay sees it: ReLU belongs to the layer before it, and nothing is flattened.

A linear layer is a convolution with one window. After a flatten its weights have the order of the
feature map, so that the map is read as it lies in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from specbp.errors import UsageError
from specbp.network import (
    AveragePooling,
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPooling,
    Network,
    ReLU,
    chain_fault,
)
from specbp.overlay.compiler.shapes import PER_WORD, Shape, Window

ONE_WINDOW = Window((1, 1), (1, 1), (0, 0))


@dataclass(frozen=True)
class Weighted:
    """A convolution or linear layer, and a ReLU behind it.

    Attributes:
        layer: the layer.
        window: one of 1 x 1 for a linear layer.
        source: a single position for a linear layer.
        result: shape of its output.
        order: PyTorch's shape (channels, rows, columns) of the inputs of the weights:
            of the kernel, or of the map that was flattened.
        rectifier: the ReLU behind it, None without one.
    """

    layer: Layer
    window: Window
    source: Shape
    result: Shape
    order: Shape
    rectifier: Layer | None

    @property
    def relu(self) -> bool:
        """Whether a ReLU follows."""
        return self.rectifier is not None

    @property
    def linear(self) -> bool:
        """Whether it is a linear layer."""
        return isinstance(self.layer.operation, Linear)


@dataclass(frozen=True)
class Rectified:
    """A ReLU that no layer with weights comes before."""

    layer: Layer
    source: Shape
    result: Shape


@dataclass(frozen=True)
class Pooled:
    """A pooling; `maximum` or average."""

    layer: Layer
    window: Window
    source: Shape
    result: Shape
    maximum: bool


Stage: TypeAlias = Weighted | Rectified | Pooled


def stages(network: Network) -> list[Stage]:
    """Return the stages of `network`.

    Raises:
        UsageError: the network is not a chain of layers that the overlay has, or the logits are not
            one position with a channel for each class.
    """
    if fault := chain_fault(network):
        raise UsageError(
            f"{fault}: the overlay trains chains of convolutions and linear layers with biases, "
            "ReLU and poolings; take --backend cpu for it, or a model such as cifar-cnn"
        )
    found: list[Stage] = []
    shape = shape_of(network.layers[0].input_shape)
    for layer in network.layers:
        previous = found[-1] if found else None
        match layer.operation:
            case Flatten():
                continue
            case ReLU() if isinstance(previous, Weighted):
                found[-1] = replace(previous, rectifier=layer)
            case ReLU():
                found.append(Rectified(layer, shape, shape))
            case Convolution() as op:
                result = shape_of(layer.output_shape)
                order = Shape(op.in_channels, *op.kernel)
                window = Window(op.kernel, op.stride, op.padding)
                found.append(Weighted(layer, window, shape, result, order, rectifier=None))
            case Linear() as op:
                features = Shape(shape.positions * shape.words * PER_WORD, 1, 1)
                source = features if shape.positions > 1 else Shape(op.in_features, 1, 1)
                result = Shape(op.out_features, 1, 1)
                found.append(Weighted(layer, ONE_WINDOW, source, result, shape, rectifier=None))
            case MaxPooling() | AveragePooling() as op:
                window = Window(op.kernel, op.stride, op.padding)
                result = shape_of(layer.output_shape)
                maximum = isinstance(op, MaxPooling)
                found.append(Pooled(layer, window, shape, result, maximum))
        shape = found[-1].result if found else shape
    if shape != Shape(network.classes, 1, 1):
        raise UsageError(
            f"layer {network.layers[-1].name} does not fit the overlay: logits must be one "
            f"position of {network.classes} channels, not {shape.rows} x {shape.columns} of "
            f"{shape.channels}: end with a linear layer"
        )
    return found


def shape_of(shape: tuple[int, ...]) -> Shape:
    """Return a sample's shape; features count as channels of one position."""
    return Shape(*shape) if len(shape) == 3 else Shape(shape[0], 1, 1)
