"""The calls that a model's forward makes, in order, as `torch.fx` sees them.

A function that does what a module does becomes that module, so that one place says what each
layer may be set to.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from specbp.errors import UsageError
from specbp.network.plain import LEAVES, WEIGHTED, everything


class Plus(nn.Module):
    """The sum of two layers' outputs."""


class Mean(nn.Module):
    """The mean over the pixels of an image.

    Args:
        keepdim: whether an image of one pixel is left, and not features.
    """

    def __init__(self, keepdim: bool) -> None:
        super().__init__()
        self.keepdim = keepdim


class View(nn.Module):
    """Another shape of each sample.

    Args:
        features: number of features that it gives, -1 for all.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features


@dataclass(frozen=True)
class Call:
    """A call of a layer.

    Attributes:
        name: name of the layer; no two calls have the same.
        module: what is called, or a module that does what is called.
        inputs: numbers of the calls whose results it takes; -1 for the images.
    """

    name: str
    module: nn.Module
    inputs: tuple[int, ...]


def calls(model: nn.Module) -> list[Call]:
    """Return the calls of the layers of `model`, each behind those whose results it takes.

    The last one gives the result of the model.

    Raises:
        UsageError: `torch.fx` cannot trace the forward, or it does something that is no layer.
    """
    graph = _traced(model)
    used = _used(graph)
    found: list[Call] = []
    numbers: dict[fx.Node, int] = {}
    names: set[str] = set()
    for node in graph.nodes:
        if node.op == "placeholder":
            if numbers:
                raise UsageError("the model is not supported: its forward takes more than images")
            numbers[node] = -1
        elif node.op == "output":
            (result,) = node.args
            if numbers.get(result) != len(found) - 1 or not found:
                raise UsageError("the model is not supported: its forward must return its logits")
        elif node in used and not _is_a_size(node):
            name, module = _called(model, node)
            name = name if name not in names else f"{name} ({node.name})"
            names.add(name)
            inputs = tuple(numbers[one] for one in node.args if one in numbers)
            numbers[node] = len(found)
            found.append(Call(name, module, inputs))
    _require_all_trained(model, found)
    return found


class _Tracer(fx.Tracer):
    """Looks into every module that is no layer."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether `m` is a layer."""
        return isinstance(m, LEAVES)


def _traced(model: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except Exception as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"the model is not supported: torch.fx cannot trace its forward: {first_line}"
        ) from error


def _used(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes that the result depends on."""
    used: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op in ("output", "placeholder") or node in used:
            used |= {node, *node.all_input_nodes}
    return used


def _require_all_trained(model: nn.Module, found: list[Call]) -> None:
    """Refuse layers with weights that are called twice, or never."""
    names: dict[int, str] = {}
    for call in found:
        if isinstance(call.module, WEIGHTED):
            earlier = names.setdefault(id(call.module), call.name)
            if earlier != call.name:
                raise UsageError(
                    f"layer {earlier} is not supported: it is called twice, and layers with "
                    "weights cannot be shared"
                )
    for name, module in everything(model):
        if isinstance(module, WEIGHTED) and id(module) not in names:
            raise UsageError(f"{name} is not supported: the result does not depend on it")


def _is_a_size(node: fx.Node) -> bool:
    """Return whether a node is the size of a batch, or the shape that it is read from."""
    match node.op, node.target:
        case "call_method", "size":
            return True
        case "call_function", target if target in (getattr, operator.getitem):
            return True
    return False


def _called(model: nn.Module, node: fx.Node) -> tuple[str, nn.Module]:
    """Return the name of what a node calls, and the module that does it."""
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        _require_one_input(f"{node.target}:{type(module).__name__}", node)
        return f"{node.target}:{type(module).__name__}", module
    if node.op == "get_attr":
        raise UsageError(f"{node.target} is not supported: a parameter must be a layer's own")
    name = f"{node.name}:{getattr(node.target, '__name__', node.target)}"
    build = (_FUNCTIONS if node.op == "call_function" else _METHODS).get(node.target)
    if build is None:
        raise UsageError(f"layer {name} is not supported: use a module of torch.nn for it")
    try:
        module = build(*node.args[1:], **node.kwargs)
    except (TypeError, ValueError) as error:
        raise UsageError(f"layer {name} is not supported with these settings: {error}") from error
    if not isinstance(module, Plus):
        _require_one_input(name, node)
    elif len(node.all_input_nodes) != 2 or len(node.args) != 2:
        raise UsageError(f"layer {name} is not supported: it must add the outputs of two layers")
    return name, module


def _require_one_input(name: str, node: fx.Node) -> None:
    layers = [one for one in node.all_input_nodes if not _is_a_size(one)]
    if len(layers) != 1 or layers[0] is not node.args[0]:
        raise UsageError(f"layer {name} is not supported: it must take the output of one layer")


def _plus(other: Any, *, alpha: float = 1) -> nn.Module:
    if alpha != 1 or not isinstance(other, fx.Node):
        raise ValueError("it must add the outputs of two layers")
    return Plus()


def _max_pooling(
    kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> nn.Module:  # fmt: skip
    return nn.MaxPool2d(kernel_size, stride, padding, dilation, return_indices, ceil_mode)


def _flatten(start_dim: int = 0, end_dim: int = -1) -> nn.Module:
    return nn.Flatten(start_dim, end_dim)


def _mean(dim: Any = None, keepdim: bool = False) -> nn.Module:
    if not isinstance(dim, list | tuple) or {one % 4 for one in dim} != {2, 3}:
        raise ValueError("it must be the mean over the pixels, (2, 3)")
    return Mean(keepdim)


def _view(*shape: Any) -> nn.Module:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    batch, *features = sizes
    if len(features) != 1 or not (isinstance(batch, fx.Node) or batch == -1):
        raise ValueError("it must flatten each sample")
    (count,) = features
    if not isinstance(count, int) or (batch == -1 and count == -1):
        raise ValueError("it must flatten each sample")
    return View(count)


_FUNCTIONS: dict[Any, Callable[..., nn.Module]] = {
    operator.add: _plus, operator.iadd: _plus, torch.add: _plus,
    functional.relu: nn.ReLU, torch.relu: lambda: nn.ReLU(), functional.leaky_relu: nn.LeakyReLU,
    functional.silu: nn.SiLU, functional.gelu: nn.GELU, functional.max_pool2d: _max_pooling,
    functional.avg_pool2d: nn.AvgPool2d, functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    torch.flatten: _flatten, torch.mean: _mean,
    torch.reshape: _view,
}  # fmt: skip
_METHODS: dict[Any, Callable[..., nn.Module]] = {
    "add": _plus, "add_": _plus, "relu": lambda: nn.ReLU(), "relu_": lambda: nn.ReLU(),
    "flatten": _flatten, "mean": _mean, "view": _view, "reshape": _view,
}  # fmt: skip
