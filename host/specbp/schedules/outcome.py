"""The outcome: what a forward pass leaves behind for the samples of a batch, and rows of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

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
        """Return a copy of the rows at `index`, int64, in any order and with repeats."""
        return combine([self], lambda tensors: rows_of(tensors[0], index))


def combine(outcomes: Sequence[Outcome], into_one: Callable[[list[Tensor]], Tensor]) -> Outcome:
    """Make one outcome of several: `into_one` is given each tensor of all of them."""

    def optional(tensors: tuple[Tensor | None, ...]) -> Tensor | None:
        return None if tensors[0] is None else into_one([one for one in tensors if one is not None])

    return Outcome(
        into_one([outcome.labels for outcome in outcomes]),
        into_one([outcome.probabilities for outcome in outcomes]),
        tuple(map(optional, zip(*(outcome.masks for outcome in outcomes), strict=True))),
        tuple(map(optional, zip(*(outcome.inputs for outcome in outcomes), strict=True))),
    )


_MaybeTensor = TypeVar("_MaybeTensor", Tensor, Tensor | None)


def only(tensors: Sequence[_MaybeTensor], positions: Tensor) -> Sequence[_MaybeTensor]:
    """Return the rows at `positions`, ascending and without repeats; no copy where that is all."""
    first = next(one for one in tensors if one is not None)
    if len(positions) == len(first):
        return tensors
    return [None if one is None else rows_of(one, positions) for one in tensors]


def rows_of(one: Tensor, index: Tensor) -> Tensor:
    """Return the rows of `one` at `index`, in its memory format."""
    if not _channels_together(one):
        return one.index_select(0, index)
    return one.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)


def joined(tensors: list[Tensor]) -> Tensor:
    """Return all rows of `tensors`, one after the other, in their memory format."""
    if not _channels_together(tensors[0]):
        return torch.cat(tensors)
    return torch.cat([one.permute(0, 2, 3, 1) for one in tensors]).permute(0, 3, 1, 2)


def _channels_together(one: Tensor) -> bool:
    """Return whether the channels of images lie together in memory.

    Rows of such images are copied through a view in memory order, where a row is copied whole:
    PyTorch's own row copies would bring them into its default order, slowly.
    """
    return (
        one.dim() == 4
        and one.is_contiguous(memory_format=torch.channels_last)
        and not one.is_contiguous()
    )
