"""The cache: the last outcome for each key, and what of it a speculative backward reuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from specbp.experiment import Reuse
from specbp.schedules.passes import Outcome, put_rows, rows_of


class Cache(Protocol):
    """The last outcome for each key."""

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome: bool [batch]."""
        ...

    def probabilities(self, labels: Tensor) -> Tensor:
        """Return only the cached softmax [batch, classes], for samples whose keys were seen."""
        ...

    def recall(self, labels: Tensor) -> Outcome:
        """Return the cached outcomes, one row per sample, for samples whose keys were seen.

        What is returned stays as it is when a later outcome is stored.
        """
        ...

    def store(self, outcome: Outcome) -> None:
        """Take in what the forward of a batch left behind; the last sample of a key counts."""
        ...

    def state(self) -> Outcome | None:
        """Return what is needed to go on later; None while nothing was stored."""
        ...

    def restore(self, state: Outcome | None) -> None:
        """Go on from `state`."""
        ...


class LabelCache:
    """Key `label`: one row per label, copied in and out.

    Args:
        classes: number of labels.
        reuse: with ``outcomes``, layer inputs are not kept.
    """

    UNSEEN = -1
    """In the labels of the rows: nothing was stored here yet."""

    def __init__(self, classes: int, reuse: Reuse) -> None:
        self._classes = classes
        self._reuse = reuse
        self._rows: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its label has an outcome: bool [batch]."""
        if self._rows is None:
            return torch.zeros_like(labels, dtype=torch.bool)
        return self._rows.labels.index_select(0, labels) != self.UNSEEN

    def probabilities(self, labels: Tensor) -> Tensor:
        """Return the cached softmax [batch, classes]."""
        return self._filled().probabilities.index_select(0, labels)

    def recall(self, labels: Tensor) -> Outcome:
        """Return copies of the labels' rows."""
        return self._filled().rows(labels)

    def store(self, outcome: Outcome) -> None:
        """Copy the last sample of each label of the batch into the label's row."""
        kept = _kept(outcome, self._reuse)
        if self._rows is None:
            self._rows = _rows_like(kept, self._classes, self.UNSEEN)
        labels, samples = last_of_each(outcome.labels, self._classes)
        for row, new in zip(_tensors(self._rows), _tensors(kept), strict=True):
            put_rows(row, labels, rows_of(new, samples))

    def state(self) -> Outcome | None:
        """Return the rows."""
        return self._rows

    def restore(self, state: Outcome | None) -> None:
        """Go on from `state`."""
        self._rows = state

    def _filled(self) -> Outcome:
        assert self._rows is not None
        return self._rows


class BatchCache:
    """Key `batch`: the previous batch's outcome, kept whole and handed out without a copy.

    The i-th sample of the previous batch stands for the i-th sample of this one.
    """

    def __init__(self, reuse: Reuse) -> None:
        self._reuse = reuse
        self._previous: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return whether there was a batch before this one, for each sample: bool [batch]."""
        return torch.full_like(labels, self._previous is not None, dtype=torch.bool)

    def probabilities(self, labels: Tensor) -> Tensor:
        """Return the previous batch's softmax [batch, classes]."""
        return self.recall(labels).probabilities

    def recall(self, labels: Tensor) -> Outcome:
        """Return the previous batch's outcome."""
        assert self._previous is not None
        return self._previous

    def store(self, outcome: Outcome) -> None:
        """Keep the outcome for the next batch."""
        self._previous = _kept(outcome, self._reuse)

    def state(self) -> Outcome | None:
        """Return the previous batch's outcome."""
        return self._previous

    def restore(self, state: Outcome | None) -> None:
        """Go on from `state`."""
        self._previous = state


def last_of_each(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the labels that occur, ascending, and the position of the last sample of each.

    Args:
        labels: int64 [batch], each in 0..classes-1.
        classes: number of labels.
    """
    positions = torch.arange(len(labels), device=labels.device)
    last = torch.full((classes,), -1, device=labels.device)
    last.scatter_reduce_(0, labels, positions, "amax")
    present = (last >= 0).nonzero()[:, 0]
    return present, last[present]


def _kept(outcome: Outcome, reuse: Reuse) -> Outcome:
    """Drop what a backward with this kind of reuse does not read."""
    if reuse == "replay":
        return outcome
    return replace(outcome, inputs=(None,) * len(outcome.inputs))


def _tensors(outcome: Outcome) -> Iterator[Tensor]:
    yield outcome.labels
    yield outcome.probabilities
    for one in (*outcome.masks, *outcome.inputs):
        if one is not None:
            yield one


def _rows_like(outcome: Outcome, count: int, label: int) -> Outcome:
    def rows(one: Tensor | None) -> Tensor | None:
        return None if one is None else torch.zeros_like(one[:1].expand(count, *one.shape[1:]))

    return Outcome(
        outcome.labels.new_full((count,), label),
        outcome.probabilities.new_zeros((count, *outcome.probabilities.shape[1:])),
        tuple(rows(one) for one in outcome.masks),
        tuple(rows(one) for one in outcome.inputs),
    )
