"""A user's `nn.Module` lowered to a graph of layers; what that cannot represent is refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from specbp.errors import UsageError
from specbp.network.graph import (
    GELU,
    IMAGES,
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    Linear,
    MaxPooling,
    Network,
    Operation,
    Pair,
    ReLU,
    Shape,
    SiLU,
    Weights,
)
from specbp.network.plain import WEIGHTED, require_plain
from specbp.network.tracing import Mean, Plus, View, calls


class MisfitError(UsageError):
    """Each layer is supported, but the model and the shape of its data do not go together."""


def lower(model: nn.Module, image_shape: Shape, classes: int) -> tuple[Network, list[Weights]]:
    """Lower `model` to a graph of layers and hand out copies of its weights.

    A layer without weights may be used several times; it then is in the graph several times.

    Args:
        model: a module whose forward `torch.fx` can trace into supported layers.
        image_shape: (channels, height, width) of one sample.
        classes: number of labels, which the last layer must have as outputs.

    Returns:
        The network, and the tensors of each layer with weights, in forward order.

    Raises:
        MisfitError: a layer does not fit the shape it is given; the message names the layer.
        UsageError: a layer or one of its settings is not supported, or it computes something else
            than its class says; the message names the layer.
    """
    require_plain(model)
    layers: list[Layer] = []
    weights: list[Weights] = []
    # Of the images and of what each call gives: the layer that makes it, and its shape.
    made: list[tuple[str, Shape]] = [(IMAGES, image_shape)]
    for call in calls(model):
        sources = [made[number + 1] for number in call.inputs]
        shape = sources[0][1]
        for name, operation in _operations(call.name, call.module, shape):
            _require_fit(
                name, shape, all(one == shape for _, one in sources), f"it adds {sources[-1][1]}"
            )
            names = tuple(source for source, _ in sources)
            before = layers[-1].name if layers else IMAGES
            inputs = () if names == (before,) else names
            layers.append(
                Layer(name, operation, shape, _output_shape(name, operation, shape), inputs)
            )
            shape = layers[-1].output_shape
            sources = [(name, shape)]
        made.append((sources[0][0], shape))
        if isinstance(call.module, WEIGHTED):
            weights.append(_copied(call.module))
    if not weights:
        raise UsageError("the model has no layer with weights: there is nothing to train")
    if made[-1][1] != (classes,):
        raise MisfitError(
            f"the model ends in shape {made[-1][1]}, the data set has {classes} classes: "
            f"its last layer must give {classes} outputs"
        )
    return Network(tuple(layers), classes), weights


def parameter_names(layer: Layer) -> list[str]:
    """Return the names of the parameters of a layer with weights in the user's model."""
    path, _, _ = layer.name.rpartition(":")
    has_bias = getattr(layer.operation, "bias", True)
    return [f"{path}.weight", f"{path}.bias"][: 1 + has_bias]


def _copied(module: nn.Module) -> Weights:
    """Return copies of weight, bias and running statistics of a layer, those it has."""
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = (getattr(module, name, None) for name in names)
    return tuple(one.detach().clone() for one in tensors if one is not None)


def _operations(name: str, module: nn.Module, shape: Shape) -> list[tuple[str, Operation]]:
    """Return what a call computes on a sample of `shape`, one after the other, each with its name.

    A call that hands on what it is given computes nothing.
    """
    if isinstance(module, Mean):
        _require_fit(name, shape, len(shape) == 3, "it needs an image")
        window = (shape[1], shape[2])
        pooling = AveragePooling(window, window, (0, 0))
        if module.keepdim:
            return [(name, pooling)]
        return [(name, pooling), (f"{name} flattened", Flatten())]
    operation = _operation(name, module, shape)
    return [] if operation is None else [(name, operation)]


def _operation(name: str, module: nn.Module, shape: Shape) -> Operation | None:
    """Return what `module` computes on a sample of `shape`, None where it hands it on."""
    match module:
        case nn.Identity():
            return None
        case Plus():
            return Addition()
        case nn.Conv2d():
            return _convolution(name, module)
        case nn.Linear():
            _require(name, module.weight.dim() == 2, "weight must have two dimensions")
            out_features, in_features = module.weight.shape
            _require_bias(name, module.bias, out_features)
            return Linear(in_features, out_features, module.bias is not None)
        case nn.BatchNorm2d() | nn.GroupNorm():
            return _norm(name, module)
        case nn.ReLU():
            return ReLU()
        case nn.LeakyReLU():
            _require(name, module.negative_slope >= 0, "negative_slope must not be negative")
            return LeakyReLU(float(module.negative_slope))
        case nn.SiLU():
            return SiLU()
        case nn.GELU():
            return GELU(module.approximate)
        case nn.Dropout():
            _require(name, module.training, "it is in evaluation mode: call train()")
            _require(name, module.p < 1, "p must be below 1")
            return Dropout(float(module.p)) if module.p else None
        case nn.MaxPool2d():
            _require(name, set(_numbers(name, module.dilation)) == {1}, "dilation must be 1")
            _require(name, not module.ceil_mode, "ceil_mode must be False")
            _require(name, not module.return_indices, "return_indices must be False")
            return MaxPooling(*_windows(name, module))
        case nn.AvgPool2d():
            windows = _windows(name, module)
            counted = module.count_include_pad or windows[-1] == (0, 0)
            _require(name, not module.ceil_mode, "ceil_mode must be False")
            _require(name, counted, "count_include_pad must be True")
            _require(name, module.divisor_override is None, "divisor_override must be None")
            return AveragePooling(*windows)
        case nn.AdaptiveAvgPool2d():
            return _adaptive_pooling(name, module, shape)
        case View():
            fits = module.features in (-1, math.prod(shape))
            _require(name, fits, f"it must give {math.prod(shape)} features")
            return Flatten() if len(shape) > 1 else None
        case nn.Flatten():
            return _flattening(name, module, shape)
    raise TypeError(f"{name} is no layer")


def _convolution(name: str, module: nn.Conv2d) -> Convolution:
    _require(name, set(_numbers(name, module.dilation)) == {1}, "dilation must be 1")
    _require(name, module.padding_mode == "zeros", "padding_mode must be zeros")
    _require(name, module.weight.dim() == 4, "kernel_size must be one or two numbers")
    out_channels, in_channels, height, width = module.weight.shape
    _require_bias(name, module.bias, out_channels)
    stride = _pair(name, module.stride)
    if module.padding == "same":
        _require(name, height % 2 == width % 2 == 1, 'padding "same" needs a kernel of odd size')
        padding = height // 2, width // 2
    else:
        padding = _pair(name, 0 if module.padding == "valid" else module.padding)
    return Convolution(
        in_channels * module.groups, out_channels, (height, width), stride, padding,
        module.groups, module.bias is not None,
    )  # fmt: skip


def _norm(name: str, module: nn.BatchNorm2d | nn.GroupNorm) -> BatchNorm | GroupNorm:
    _require(name, module.affine, "affine must be True")
    if isinstance(module, nn.GroupNorm):
        return GroupNorm(module.num_groups, module.num_channels, module.eps)
    _require(name, module.track_running_stats, "track_running_stats must be True")
    _require(name, module.training, "it is in evaluation mode: call train()")
    momentum = module.momentum
    _require(name, momentum is not None, "momentum must be a number")
    assert momentum is not None
    return BatchNorm(module.num_features, module.eps, float(momentum))


def _adaptive_pooling(
    name: str, module: nn.AdaptiveAvgPool2d, shape: Shape
) -> AveragePooling | None:
    """Return the pooling with windows of one size, which an adaptive one is where they fit."""
    _require_fit(name, shape, len(shape) == 3, "it needs an image")
    wanted = module.output_size
    both: list[Any] = list(wanted) if isinstance(wanted, Iterable) else [wanted, wanted]
    size = shape[1:]
    outputs = [whole if one is None else one for one, whole in zip(both, size, strict=True)]
    fits = all(one > 0 and whole % one == 0 for one, whole in zip(outputs, size, strict=True))
    _require_fit(name, shape, fits, f"output_size {wanted} must divide the image's")
    window = (size[0] // outputs[0], size[1] // outputs[1])
    return AveragePooling(window, window, (0, 0)) if window != (1, 1) else None


def _flattening(name: str, module: nn.Flatten, shape: Shape) -> Flatten | None:
    dimensions = len(shape) + 1
    first, last = (
        one + dimensions if one < 0 else one
        for one in _numbers(name, (module.start_dim, module.end_dim))
    )
    _require(name, first > 0, "it must leave the samples of a batch apart")
    if first == last:
        return None
    _require(name, (first, last) == (1, dimensions - 1), "it must flatten all")
    return Flatten()


def _windows(name: str, module: nn.MaxPool2d | nn.AvgPool2d) -> tuple[Pair, Pair, Pair]:
    """Return kernel, stride and padding of a pooling."""
    kernel = _pair(name, module.kernel_size)
    stride = _pair(name, module.stride) if _numbers(name, module.stride) else kernel
    return kernel, stride, _pair(name, module.padding)


def _require(name: str, holds: bool, rule: str) -> None:
    if not holds:
        raise UsageError(f"layer {name} is not supported with these settings: {rule}")


def _require_bias(name: str, bias: Tensor | None, outputs: int) -> None:
    _require(name, bias is None or bias.shape == (outputs,), f"bias must have {outputs} elements")


def _numbers(name: str, value: object) -> list[int]:
    """Return a setting as the whole numbers PyTorch takes it for."""
    values: list[Any] = list(value) if isinstance(value, Iterable) else [value]
    try:
        return [operator.index(one) for one in values]
    except TypeError:
        raise UsageError(
            f"layer {name} is not supported with these settings: {value!r} must be whole numbers"
        ) from None


def _pair(name: str, value: object) -> Pair:
    values = _numbers(name, value)
    _require(name, len(values) in (1, 2), f"{value!r} must be one or two numbers")
    return values[0], values[-1]


def _output_shape(name: str, operation: Operation, shape: Shape) -> Shape:
    """Return the shape of what a layer makes of a sample of `shape`."""
    match operation:
        case ReLU() | LeakyReLU() | SiLU() | GELU() | Addition() | Dropout():
            return shape
        case BatchNorm() | GroupNorm() as op:
            _require_fit(name, shape, len(shape) == 3, "it needs an image")
            fits = shape[0] == op.channels
            _require_fit(name, shape, fits, f"it takes {op.channels} channels")
            return shape
        case Flatten():
            return (math.prod(shape),)
        case Linear() as op:
            _require_fit(name, shape, len(shape) == 1, "put a Flatten before it")
            fits = shape[0] == op.in_features
            _require_fit(name, shape, fits, f"it takes {op.in_features} features")
            return (op.out_features,)
        case Convolution() as op:
            _require_fit(name, shape, len(shape) == 3, "it needs an image")
            fits = shape[0] == op.in_channels
            _require_fit(name, shape, fits, f"it takes {op.in_channels} channels")
            return op.out_channels, *_windows_in(name, op, shape)
        case MaxPooling() | AveragePooling() as op:
            _require_fit(name, shape, len(shape) == 3, "it needs an image")
            for kernel, padding in zip(op.kernel, op.padding, strict=True):
                _require(name, 2 * padding <= kernel, "padding must be at most half of the kernel")
            return shape[0], *_windows_in(name, op, shape)


def _windows_in(name: str, op: Convolution | MaxPooling | AveragePooling, shape: Shape) -> Pair:
    """Return how many windows there are in an image of `shape`, each way."""
    _require(name, min(op.kernel) >= 1, "kernel_size must be at least 1")
    _require(name, min(op.stride) >= 1, "stride must be at least 1")
    _require(name, min(op.padding) >= 0, "padding must not be negative")
    counts = [
        (size + 2 * padding - kernel) // stride + 1
        for size, kernel, stride, padding in zip(
            shape[1:], op.kernel, op.stride, op.padding, strict=True
        )
    ]
    _require_fit(name, shape, min(counts) >= 1, "its window is larger than the padded image")
    return counts[0], counts[1]


def _require_fit(name: str, shape: Shape, holds: bool, rule: str) -> None:
    if not holds:
        raise MisfitError(f"layer {name} does not fit its input {shape}: {rule}")
