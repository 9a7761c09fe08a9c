"""The outcome: what a forward pass leaves behind for the samples of a batch, and rows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """What a forward pass leaves behind for the samples of a batch.

    Attributes:
        labels: int64 [batch].
        probabilities: softmax [batch, classes].
        masks: for each layer what its input gradient needs, or None.
        inputs: for each layer with weights its input; None for the others.
    """

    labels: Tensor
    probabilities: Tensor
    masks: tuple[Tensor | None, ...]
    inputs: tuple[Tensor | None, ...]

    def rows(self, index: Tensor) -> Outcome:
        """Return the rows at `index`, int64, in any order and with repeats.

        A copy; but of one row, a view.
        """
        if len(index) == 1:
            row = int(index[0])
            return self._each(lambda one: one[row : row + 1])
        return self._each(lambda one: rows_of(one, index))

    def slots(self, count: int) -> Outcome:
        """Return an outcome of `count` rows of zeros, of the same shapes and memory formats."""
        return self._each(lambda one: slots_like(one, count))

    def tensors(self) -> list[Tensor]:
        """Return all tensors there are, always in the same order."""
        optional = (*self.masks, *self.inputs)
        return [self.labels, self.probabilities, *(one for one in optional if one is not None)]

    def _each(self, change: Callable[[Tensor], Tensor]) -> Outcome:
        def optional(one: Tensor | None) -> Tensor | None:
            return None if one is None else change(one)

        return Outcome(
            change(self.labels),
            change(self.probabilities),
            tuple(map(optional, self.masks)),
            tuple(map(optional, self.inputs)),
        )


def put_rows(target: Outcome, index: Tensor, rows: Outcome) -> None:
    """Copy `rows` into the rows of `target` at `index`, int64, each at most once."""
    for to, one in zip(target.tensors(), rows.tensors(), strict=True):
        put(to, index, one)


def put(target: Tensor, index: Tensor, rows: Tensor) -> None:
    """Copy `rows` into the rows of `target` at `index`; both in the same memory format."""
    _in_memory_order(target).index_copy_(0, index, _in_memory_order(rows))


def slots_like(one: Tensor, count: int) -> Tensor:
    """Return `count` rows of zeros, of the shape and memory format of those of `one`."""
    return torch.zeros_like(one[:1].expand(count, *one.shape[1:]))


def rows_of(one: Tensor, index: Tensor) -> Tensor:
    """Return a copy of the rows of `one` at `index`, in its memory format."""
    picked = _in_memory_order(one).index_select(0, index)
    return picked.permute(0, 3, 1, 2) if _channels_together(one) else picked


def _in_memory_order(one: Tensor) -> Tensor:
    """Return a view whose rows are copied whole.

    PyTorch's own row copies would bring images whose channels lie together into its default
    order, slowly.
    """
    return one.permute(0, 2, 3, 1) if _channels_together(one) else one


def _channels_together(one: Tensor) -> bool:
    """Return whether the channels of images lie together in memory."""
    return (
        one.dim() == 4
        and one.is_contiguous(memory_format=torch.channels_last)
        and not one.is_contiguous()
    )
