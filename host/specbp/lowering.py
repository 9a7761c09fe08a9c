"""`nn.Sequential` lowered to a chain of layers; what a chain cannot represent is refused by name.

A module computes what its class says only where nothing was added to it: hooks, parametrisations,
a `forward` of its own, weights that are shared or not trained. All of these are looked for.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from specbp.errors import UsageError
from specbp.network import (
    AveragePooling,
    Convolution,
    Flatten,
    Layer,
    Linear,
    MaxPooling,
    Network,
    Operation,
    Pair,
    ReLU,
    Shape,
    Weights,
)

_KINDS = (nn.Sequential, nn.Identity, nn.Conv2d, nn.Linear, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d,
          nn.Flatten)  # fmt: skip
_TRAINED = (nn.Conv2d, nn.Linear)
_HOOKS = {
    "_forward_pre_hooks": "forward pre-hook",
    "_forward_hooks": "forward hook",
    "_backward_pre_hooks": "backward pre-hook",
    "_backward_hooks": "backward hook",
}
_HARMLESS = frozenset(
    ("__init__", "__repr__", "__module__", "__qualname__", "__doc__", "__firstlineno__",
     "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
     "__static_attributes__", "__constants__", "__orig_bases__", "__parameters__",
     "extra_repr", "reset_parameters")
)  # fmt: skip
"""What a subclass may have of its own and still compute the same."""


class MisfitError(UsageError):
    """Each layer is supported, but the model and the shape of its data do not go together."""


def lower(model: nn.Sequential, image_shape: Shape, classes: int) -> tuple[Network, list[Weights]]:
    """Lower `model` to a chain of layers and hand out copies of its weights.

    A layer without weights may be used several times; it then is in the chain several times.

    Args:
        model: a (possibly nested) ``nn.Sequential`` of supported layers.
        image_shape: (channels, height, width) of one sample.
        classes: number of labels, which the last layer must have as outputs.

    Returns:
        The network, and (weight, bias) of each layer with weights, in forward order.

    Raises:
        MisfitError: a layer does not fit the shape it is given; the message names the layer.
        UsageError: a layer or one of its settings is not supported, or it computes something else
            than its class says; the message names the layer.
    """
    require_plain(model)
    layers: list[Layer] = []
    weights: list[Weights] = []
    shape: Shape = image_shape
    for name, module in _flat(model):
        operation = _operation(name, module, shape)
        if operation is None:
            continue
        output_shape = _output_shape(name, operation, shape)
        layers.append(Layer(name, operation, shape, output_shape))
        if isinstance(module, nn.Conv2d | nn.Linear):
            weights.append((_copy_of(module.weight), _copy_of(module.bias)))
        shape = output_shape
    if not weights:
        raise UsageError("the model has no layer with weights: there is nothing to train")
    if shape != (classes,):
        raise MisfitError(
            f"the model ends in shape {shape}, the data set has {classes} classes: "
            f"its last layer must give {classes} outputs"
        )
    return Network(tuple(layers), classes), weights


def _copy_of(parameter: Tensor | None) -> Tensor:
    assert parameter is not None  # `require_plain` saw to that
    return parameter.detach().clone()


def require_plain(model: nn.Sequential) -> None:
    """Refuse a model with something in it that the lowering would not see.

    Raises:
        UsageError: there is; the message names the layer and what it is.
    """
    trained: dict[int, str] = {}
    memory: dict[int, str] = {}
    for name, module in _everything(model, "", ()):
        fault = _fault_of_class(module) or _fault_of_instance(module)
        if fault:
            raise UsageError(f"{name} is not supported: {fault}")
        if isinstance(module, _TRAINED):
            earlier = trained.setdefault(id(module), name)
            if earlier != name:
                raise UsageError(
                    f"{name} is not supported: it is the same module as {earlier}, and layers "
                    "with weights cannot be shared"
                )
            for own, parameter in module.named_parameters(recurse=False):
                place = parameter.untyped_storage().data_ptr()
                earlier = memory.setdefault(place, f"the {own} of {name}")
                if earlier != f"the {own} of {name}":
                    raise UsageError(
                        f"{name} is not supported: its {own} shares memory with {earlier}, and "
                        "weights cannot be tied"
                    )


def _everything(
    module: nn.Module, path: str, above: Sequence[nn.Module]
) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module and its name in forward order, containers first, repeated ones again."""
    name = f"layer {path}:{type(module).__name__}" if path else "the model"
    if any(module is one for one in above):
        raise UsageError(f"{name} is not supported: it contains itself")
    yield name, module
    for child_name, child in module._modules.items():
        child_path = f"{path}.{child_name}" if path else child_name
        if child is None:
            raise UsageError(f"layer {child_path} is not supported: it is None")
        yield from _everything(child, child_path, (*above, module))


def _flat(model: nn.Sequential) -> list[tuple[str, nn.Module]]:
    """Return the layers with their names, containers and identities left out."""
    return [
        (name.removeprefix("layer "), module)
        for name, module in _everything(model, "", ())
        if not isinstance(module, nn.Sequential | nn.Identity)
    ]


def _fault_of_class(module: nn.Module) -> str | None:
    """Return why the class of `module` is none that can be lowered, None where it is one."""
    kind = next((kind for kind in _KINDS if isinstance(module, kind)), None)
    if kind is None:
        return "use Sequential, Conv2d, Linear, ReLU, MaxPool2d, AvgPool2d, Flatten"
    parametrised = getattr(module, "parametrizations", None)
    if parametrised is not None:
        return f"its {', '.join(parametrised)} is parametrised (a spectral or weight norm, ...)"
    read = {name for base in kind.__mro__ for name in getattr(base, "__annotations__", {})}
    read |= vars(module).keys() | {"weight", "bias"}
    bases = type(module).__mro__
    own = {
        name
        for base in bases[: bases.index(kind)]
        for name in vars(base).keys() - _HARMLESS
        if hasattr(kind, name) or name in read or name.startswith("__")
    }
    return f"it is a {kind.__name__} with its own {', '.join(sorted(own))}" if own else None


def _fault_of_instance(module: nn.Module) -> str | None:
    """Return what makes `module` compute something else than its class, None where nothing does."""
    for name in vars(module):
        if callable(getattr(type(module), name, None)):
            return f"it has its own {name}"
    for attribute, words in _HOOKS.items():
        if getattr(module, attribute):
            return f"it has a {words}"
    for name, buffer in module._buffers.items():
        if buffer is not None:
            return f'it has the buffer "{name}"'
    expected = ("weight", "bias") if isinstance(module, _TRAINED) else ()
    for name in expected:
        if name not in module._parameters:
            return f"its {name} is not a parameter"
    for name, parameter in module._parameters.items():
        if parameter is None:
            if name in expected:
                return f"{name} must be True" if name == "bias" else f"its {name} is None"
        elif name not in expected:
            return f'it has the parameter "{name}"'
        elif fault := _fault_of_parameter(parameter):
            return f"its {name} {fault}"
    return None


def _fault_of_parameter(parameter: nn.Parameter) -> str | None:
    """Return why a parameter cannot be trained as others are, None where it can."""
    if type(parameter) is not nn.Parameter:
        return f"is a {type(parameter).__name__}, not a Parameter"
    if not parameter.requires_grad:
        return "is not trained (requires_grad is False)"
    if parameter.dtype != torch.get_default_dtype():
        expected = str(torch.get_default_dtype())
        return f"is {parameter.dtype}, not {expected}".replace("torch.", "")
    if parameter.device.type != "cpu" or parameter.layout != torch.strided:
        return f"lies on {parameter.device}, {parameter.layout}: build it on the CPU, dense"
    if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
        return "has a gradient hook"
    if not _is_dense(parameter):
        return "is a view of other memory: make it contiguous"
    if not parameter.isfinite().all():
        return "holds numbers that are not finite"
    return None


def _is_dense(parameter: Tensor) -> bool:
    """Return whether the elements lie side by side, in whichever order, each at its own place."""
    expected = 1
    for stride, size in sorted(zip(parameter.stride(), parameter.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _operation(name: str, module: nn.Module, shape: Shape) -> Operation | None:
    """Return what `module` computes on a sample of `shape`, None where it hands it on."""
    match module:
        case nn.Conv2d():
            _require(name, module.groups == 1, "groups must be 1")
            _require(name, set(_numbers(name, module.dilation)) == {1}, "dilation must be 1")
            _require(name, module.padding_mode == "zeros", "padding_mode must be zeros")
            _require(name, not isinstance(module.padding, str), "padding must be a number")
            _require(name, module.weight.dim() == 4, "kernel_size must be one or two numbers")
            out_channels, in_channels, height, width = module.weight.shape
            _require_bias(name, module.bias, out_channels)
            stride, padding = _pair(name, module.stride), _pair(name, module.padding)
            return Convolution(in_channels, out_channels, (height, width), stride, padding)
        case nn.Linear():
            _require(name, module.weight.dim() == 2, "weight must have two dimensions")
            out_features, in_features = module.weight.shape
            _require_bias(name, module.bias, out_features)
            return Linear(in_features, out_features)
        case nn.ReLU():
            return ReLU()
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
        case nn.Flatten():
            return _flattening(name, module, shape)
    raise TypeError(f"{name} is no layer")


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
    _require(
        name, bias is not None and bias.shape == (outputs,), f"bias must have {outputs} elements"
    )


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
        case ReLU():
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
