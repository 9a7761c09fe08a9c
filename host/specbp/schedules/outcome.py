"""The outcome: what a forward pass leaves behind for the samples of a batch, and rows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from specbp.memory_order import channels_together, in_memory_order


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

        A copy; but of one row on the processor, a view.
        """
        if len(index) == 1 and not index.is_cuda:  # a GPU would have to be waited for
            row = int(index[0])
            return self._each(lambda one: one[row : row + 1])
        return self._each(lambda one: rows_of(one, index))

    def slots(self, count: int) -> Outcome:
        """Return an outcome of `count` rows of zeros, of the same shapes and memory formats."""
        return self._each(lambda one: slots_like(one, count))

    def to(self, place: torch.device) -> Outcome:
        """Return the same on a device."""
        return self._each(lambda one: one.to(place))

    def tensors(self) -> list[Tensor]:
        """Return all tensors there are, always in the same order; some may be the same."""
        optional = (*self.masks, *self.inputs)
        return [self.labels, self.probabilities, *(one for one in optional if one is not None)]

    def _each(self, change: Callable[[Tensor], Tensor]) -> Outcome:
        """Change every tensor, but once where the mask of a ReLU is the next layer's input."""
        changed: dict[_Identity, Tensor] = {}

        def optional(one: Tensor | None) -> Tensor | None:
            if one is None:
                return None
            identity = _identity(one)
            if identity not in changed:
                changed[identity] = change(one)
            return changed[identity]

        return Outcome(
            change(self.labels),
            change(self.probabilities),
            tuple(map(optional, self.masks)),
            tuple(map(optional, self.inputs)),
        )


def copy_all(outcome: Outcome, target: Outcome) -> None:
    """Copy all rows of `outcome` to `target`, which was made like it."""
    for to, one in _distinct(outcome, target):
        to.copy_(one)


def put_rows(target: Outcome, index: Tensor, rows: Outcome) -> None:
    """Copy `rows` into the rows of `target` at `index`, int64; `target` was made like them."""
    for to, one in _distinct(rows, target):
        put(to, index, one)


def put(target: Tensor, index: Tensor, rows: Tensor) -> None:
    """Copy `rows` into the rows of `target` at `index`; both in the same memory format."""
    in_memory_order(target).index_copy_(0, index, in_memory_order(rows))


_Identity = tuple[int, torch.Size, tuple[int, ...]]


def _identity(one: Tensor) -> _Identity:
    """Return what two tensors have in common only if they are the same."""
    return one.data_ptr(), one.shape, one.stride()


def _distinct(outcome: Outcome, target: Outcome) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of a tensor of `target` and of `outcome`, once where these are the same."""
    pairs = zip(target.tensors(), outcome.tensors(), strict=True)
    return list({_identity(one): (to, one) for to, one in pairs}.values())


def slots_like(one: Tensor, count: int) -> Tensor:
    """Return `count` rows of zeros, of the shape and memory format of those of `one`."""
    return torch.zeros_like(one[:1].expand(count, *one.shape[1:]))


def rows_of(one: Tensor, index: Tensor) -> Tensor:
    """Return a copy of the rows of `one` at `index`, in its memory format."""
    rows = in_memory_order(one)
    # A GPU picks few rows by indexing three times as fast, a processor by selecting.
    picked = rows[index] if index.is_cuda else rows.index_select(0, index)
    return picked.permute(0, 3, 1, 2) if channels_together(one) else picked
