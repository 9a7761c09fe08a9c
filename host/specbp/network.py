"""`nn.Sequential` lowered to a chain of layers: the one graph form everything else reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor, nn

from specbp.errors import UsageError

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


Weights: TypeAlias = tuple[Tensor, Tensor]
"""Weight and bias of one layer, or their gradients or momenta."""


def lower(model: nn.Sequential, image_shape: Shape, classes: int) -> tuple[Network, list[Weights]]:
    """Lower `model` to a chain of layers and hand out copies of its weights.

    Args:
        model: a (possibly nested) ``nn.Sequential`` of supported layers.
        image_shape: (channels, height, width) of one sample.
        classes: number of labels, which the last layer must have as outputs.

    Returns:
        The network, and (weight, bias) of each layer with weights, in forward order.

    Raises:
        UsageError: a layer or one of its settings is not supported, or a layer does not fit
            the shape it is given; the message names the layer.
    """
    layers: list[Layer] = []
    weights: list[Weights] = []
    shape: Shape = image_shape
    for name, module in _flat(model):
        operation = _operation(name, module)
        output_shape = _output_shape(name, module, shape)
        layers.append(Layer(name, operation, shape, output_shape))
        if isinstance(module, nn.Conv2d | nn.Linear):
            bias = module.bias
            assert bias is not None
            weights.append((module.weight.detach().clone(), bias.detach().clone()))
        shape = output_shape
    if not weights:
        raise UsageError("the model has no layer with weights: there is nothing to train")
    if shape != (classes,):
        raise UsageError(
            f"the model ends in shape {shape}, the data set has {classes} classes: "
            f"its last layer must give {classes} outputs"
        )
    return Network(tuple(layers), classes), weights


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


def _flat(model: nn.Sequential, prefix: str = "") -> list[tuple[str, nn.Module]]:
    found: list[tuple[str, nn.Module]] = []
    for child_name, child in model.named_children():
        name = f"{prefix}{child_name}"
        if isinstance(child, nn.Sequential):
            found += _flat(child, f"{name}.")
        elif not isinstance(child, nn.Identity):
            found.append((f"{name}:{type(child).__name__}", child))
    return found


def _operation(name: str, module: nn.Module) -> Operation:
    match module:
        case nn.Conv2d():
            _require(name, module.groups == 1, "groups must be 1")
            _require(name, module.dilation == (1, 1), "dilation must be 1")
            _require(name, module.padding_mode == "zeros", "padding_mode must be zeros")
            _require(name, not isinstance(module.padding, str), "padding must be a number")
            _require(name, module.bias is not None, "bias must be True")
            return Convolution(
                module.in_channels,
                module.out_channels,
                _pair(module.kernel_size),
                _pair(module.stride),
                _pair(module.padding),
            )
        case nn.Linear():
            _require(name, module.bias is not None, "bias must be True")
            return Linear(module.in_features, module.out_features)
        case nn.ReLU():
            return ReLU()
        case nn.MaxPool2d():
            _require(name, module.dilation in (1, (1, 1)), "dilation must be 1")
            _require(name, not module.ceil_mode, "ceil_mode must be False")
            return MaxPooling(
                _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
            )
        case nn.AvgPool2d():
            _require(name, not module.ceil_mode, "ceil_mode must be False")
            _require(name, module.count_include_pad, "count_include_pad must be True")
            _require(name, module.divisor_override is None, "divisor_override must be None")
            return AveragePooling(
                _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
            )
        case nn.Flatten():
            _require(name, (module.start_dim, module.end_dim) == (1, -1), "it must flatten all")
            return Flatten()
    raise UsageError(
        f"layer {name} is not supported: use Conv2d, Linear, ReLU, MaxPool2d, AvgPool2d, Flatten"
    )


def _require(name: str, holds: bool, rule: str) -> None:
    if not holds:
        raise UsageError(f"layer {name} is not supported with these settings: {rule}")


def _pair(value: object) -> Pair:
    if isinstance(value, tuple):
        vertical, horizontal = value
        return int(vertical), int(horizontal)
    assert isinstance(value, int)
    return value, value


def _output_shape(name: str, module: nn.Module, shape: Shape) -> Shape:
    """Ask the module itself what it makes of `shape`."""
    wants_image = isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    if wants_image and len(shape) != 3:
        raise UsageError(f"layer {name} does not fit its input {shape}: it needs an image")
    if isinstance(module, nn.Linear) and len(shape) != 1:
        raise UsageError(f"layer {name} does not fit its input {shape}: put a Flatten before it")
    try:
        with torch.no_grad():
            # Not on the device "meta", without data: that imports half of PyTorch's compiler.
            return tuple(module(torch.zeros(2, *shape)).shape[1:])
    except RuntimeError as error:
        first_line = str(error).splitlines()[0]
        raise UsageError(f"layer {name} does not fit its input {shape}: {first_line}") from error
