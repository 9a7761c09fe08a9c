"""What a model may have in it that no trace of its forward shows: looked for, and refused by name.

A module computes what its class says only where nothing was added to it: hooks, parametrisations,
a `forward` of its own, weights that are shared or not trained. All of these are looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from specbp.errors import UsageError

LEAVES = (
    nn.Identity, nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.GroupNorm, nn.ReLU, nn.LeakyReLU, nn.SiLU,
    nn.GELU, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Flatten,
)  # fmt: skip
"""Modules that are layers."""
WEIGHTED = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.GroupNorm)
_NOT_A_LAYER = "is not supported: use " + ", ".join(
    kind.__name__ for kind in LEAVES if kind is not nn.Identity
)
_LISTS = (nn.ModuleList, nn.ModuleDict)
NO_MODELS = (*LEAVES, *_LISTS)
"""Modules that may be part of a model, and are none."""
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
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
_UNSEEN = frozenset(("__call__", "__getattr__", "__getattribute__"))
"""What a module of one's own may not have: a trace does not go through it."""


def require_plain(model: nn.Module) -> None:
    """Refuse a model with something in it that the lowering would not see.

    Raises:
        UsageError: there is; the message names the layer and what it is.
    """
    trained: dict[int, str] = {}
    memory: dict[int, str] = {}
    for name, module in everything(model):
        fault = _fault_of_class(module) or _fault_of_instance(module)
        if fault:
            raise UsageError(f"{name} is not supported: {fault}")
        if isinstance(module, WEIGHTED):
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


def everything(
    module: nn.Module, path: str = "", above: Sequence[nn.Module] = ()
) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module and its name, containers first, repeated ones again.

    Raises:
        UsageError: a module contains itself, or is None where one is called.
    """
    name = f"layer {path}:{type(module).__name__}" if path else "the model"
    if any(module is one for one in above):
        raise UsageError(f"{name} is not supported: it contains itself")
    yield name, module
    is_sequence = isinstance(module, nn.Sequential)
    for child_name, child in module._modules.items():
        child_path = f"{path}.{child_name}" if path else child_name
        if child is None and is_sequence:
            raise UsageError(f"layer {child_path} is not supported: it is None")
        if isinstance(child, _LISTS) and is_sequence:
            raise UsageError(f"layer {child_path}:{type(child).__name__} {_NOT_A_LAYER}")
        if child is not None:
            yield from everything(child, child_path, (*above, module))


def _fault_of_class(module: nn.Module) -> str | None:
    """Return why the class of `module` is none that can be lowered, None where it is one."""
    parametrised = getattr(module, "parametrizations", None)
    if parametrised is not None:
        return f"its {', '.join(parametrised)} is parametrised (a spectral or weight norm, ...)"
    bases = type(module).__mro__
    kind = next((kind for kind in LEAVES if isinstance(module, kind)), None)
    if kind is None:
        of_torch = [base for base in bases if base.__module__.startswith("torch.nn.modules")]
        if of_torch[0] not in (nn.Sequential, nn.Module, *_LISTS):
            return _NOT_A_LAYER.removeprefix("is not supported: ")
        own_bases = bases[: bases.index(of_torch[0])]
        unseen = _UNSEEN & {name for base in own_bases for name in vars(base)}
        return f"it has its own {', '.join(sorted(unseen))}" if unseen else None
    read = {name for base in kind.__mro__ for name in getattr(base, "__annotations__", {})}
    read |= vars(module).keys() | {"weight", "bias"}
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
    allowed = _BUFFERS if isinstance(module, nn.BatchNorm2d) else ()
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in allowed:
            return f'it has the buffer "{name}"'
    expected = ("weight", "bias") if isinstance(module, WEIGHTED) else ()
    for name in expected:
        if name not in module._parameters:
            return f"its {name} is not a parameter"
    for name, parameter in module._parameters.items():
        if parameter is None:
            if name == "weight" and not isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                return f"its {name} is None"
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
