"""What the state of a training may hold: checked before a training goes on from a checkpoint.

A checksum says that a checkpoint is what was stored, not that it fits. An index out of range would
be used unchecked by PyTorch's kernels and by C++, a tensor of another shape be broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from specbp.memory_order import in_memory_order
from specbp.network import (
    BatchNorm,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPooling,
    Network,
    Shape,
    Weights,
)

MOST_STEPS = 1 << 60
"""More than any training takes."""
ABOVE_ONE = 1e-3
"""How far a softmax may be above 1, by rounding."""


class StateError(ValueError):
    """A value of a checkpoint is none that the training could have saved."""


@dataclass(frozen=True)
class TensorForm:
    """What a tensor with a row for each sample or key must be.

    Attributes:
        row_shape: shape of one row.
        dtype: data type.
        low: smallest value.
        high: largest value.
        rows: number of rows where that is not the number of samples; None where it is.
    """

    row_shape: Shape
    dtype: torch.dtype
    low: float = -math.inf
    high: float = math.inf
    rows: int | None = None

    def read(self, value: Any, rows: int, name: str) -> Tensor:
        """Return a copy of `value`, which has `rows` rows; `name` is for the error.

        Raises:
            StateError: it is of another form.
        """
        rows = rows if self.rows is None else self.rows
        tensor = _tensor(value, (rows, *self.row_shape), self.dtype, name)
        if not in_memory_order(tensor).is_contiguous():
            raise StateError(f"{name} does not lie in memory row by row")
        _require_range(tensor, self.low, self.high, name)
        return tensor.clone()


@dataclass(frozen=True)
class SavedForms:
    """What the forward of a network leaves of each layer, and of the loss.

    Attributes:
        inputs: form of each value that a backward reads, by its number in `Network.sources`.
        masks: form of what each layer with a mask, and at the end the loss, leaves for its input
            gradient, by position.
    """

    inputs: Mapping[int, TensorForm]
    masks: Mapping[int, TensorForm]

    @classmethod
    def of(cls, network: Network, dtype: torch.dtype) -> SavedForms:
        """Return the forms of a network whose activations are of `dtype`."""
        inputs, masks = {}, {}
        for position, (layer, values) in enumerate(
            zip(network.layers, network.sources, strict=True)
        ):
            if layer.has_weights or layer.reads_input:
                inputs[values[0]] = TensorForm(layer.input_shape, dtype, *_finite(dtype))
            if layer.has_mask:
                masks[position] = _mask_form(layer, dtype)
        loss = TensorForm((network.classes,), dtype, 0, 1 + ABOVE_ONE)
        return cls(inputs, {**masks, len(network.layers): loss})


def _mask_form(layer: Layer, dtype: torch.dtype) -> TensorForm:
    """Return the form of what a layer leaves for its input gradient."""
    match layer.operation:
        case MaxPooling():
            pixels = math.prod(layer.input_shape[1:])
            return TensorForm(layer.output_shape, torch.int64, 0, pixels - 1)
        case BatchNorm() as op:
            return TensorForm((op.channels,), dtype, *_finite(dtype), rows=2)
        case GroupNorm() as op:
            return TensorForm((2, op.groups), dtype, *_finite(dtype))
        case LeakyReLU():
            return TensorForm(layer.output_shape, dtype, *_finite(dtype))
        case _:
            return TensorForm(layer.output_shape, dtype, 0, _finite(dtype)[1])


def whole_number(value: Any, low: int, high: int, name: str) -> int:
    """Return `value`, an integer from `low` to `high`; `name` is for the error.

    Raises:
        StateError: it is none.
    """
    if type(value) is not int or not low <= value <= high:
        raise StateError(f"{name} is not a whole number from {low} to {high}")
    return value


def real_number(value: Any, low: float, high: float, name: str) -> float:
    """Return `value`, a number from `low` to `high`; `name` is for the error.

    Raises:
        StateError: it is none.
    """
    if type(value) not in (int, float) or not low <= value <= high:
        raise StateError(f"{name} is not a number from {low:g} to {high:g}")
    return float(value)


def integers(value: Any, count: int, low: int, high: int, name: str) -> Tensor:
    """Return a copy of `value`, int64 [count] from `low` to `high`; `name` is for the error.

    Raises:
        StateError: it is none.
    """
    return TensorForm((), torch.int64, low, high).read(value, count, name)


def fields(value: Any, names: Iterable[Any], name: str) -> Mapping[Any, Any]:
    """Return `value`, a dictionary with exactly these names; `name` is for the error.

    Raises:
        StateError: it is none.
    """
    if not isinstance(value, dict) or set(value) != set(names):
        raise StateError(f"{name} does not hold what it should")
    return value


def require_weights_like(value: Any, expected: Sequence[Weights], name: str) -> None:
    """Refuse what are not weights of the shapes and types of `expected`; `name` is for the error.

    Values that are not finite are left to the checks of a training that diverges.

    Raises:
        StateError: they are of other layers.
    """
    if not isinstance(value, (list, tuple)) or len(value) != len(expected):
        raise StateError(f"{name} are not those of {len(expected)} layers")
    for position, (pair, like) in enumerate(zip(value, expected, strict=True)):
        if not isinstance(pair, (list, tuple)) or len(pair) != len(like):
            raise StateError(f"{name}[{position}] are not {len(like)} tensors")
        for tensor, model in zip(pair, like, strict=True):
            _tensor(tensor, tuple(model.shape), model.dtype, f"{name}[{position}]")


def tensor_like(value: Any, model: Tensor, name: str) -> Tensor:
    """Return `value`, a tensor of the shape and type of `model`; `name` is for the error.

    Raises:
        StateError: it is none.
    """
    return _tensor(value, tuple(model.shape), model.dtype, name)


def _finite(dtype: torch.dtype) -> tuple[float, float]:
    limits = torch.finfo(dtype)
    return limits.min, limits.max


def _tensor(value: Any, shape: tuple[int, ...], dtype: torch.dtype, name: str) -> Tensor:
    if type(value) is not Tensor or value.layout is not torch.strided or value.is_meta:
        raise StateError(f"{name} is not a tensor")
    if value.dtype != dtype or tuple(value.shape) != shape:
        raise StateError(
            f"{name} is {value.dtype} {list(value.shape)}, {dtype} {list(shape)} is expected"
        )
    if value.requires_grad or value.is_neg() or value.is_conj():
        raise StateError(f"{name} is not a plain tensor")
    return value


def _require_range(tensor: Tensor, low: float, high: float, name: str) -> None:
    # Written so that what is not a number is refused.
    if tensor.numel() and not bool(((tensor >= low) & (tensor <= high)).all()):
        raise StateError(f"{name} has values that are not from {low:g} to {high:g}")
