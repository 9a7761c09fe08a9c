"""The cache: the last outcome for each key.

Nothing is copied when an outcome is stored: a key refers to a row of the batch that left it
behind. A batch whose keys all have newer outcomes is given up. Nothing is copied on recall either
where the samples asked for are the rows of one batch in their order, as with a batch of one
sample, or with the key `batch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from specbp.experiment import Experiment
from specbp.schedules.outcome import Outcome, combine, joined


class Cache(Protocol):
    """The last outcome for each key."""

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome of use: bool [batch]."""
        ...

    def recall(self, labels: Tensor) -> Outcome:
        """Return the cached outcomes, one row per sample, for samples whose keys were seen.

        What is returned stays as it is when a later outcome is stored; it is not to be written.
        """
        ...

    def store(self, outcome: Outcome) -> None:
        """Take in what the forward of a batch left behind; the last sample of a key counts."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Return what is needed to go on later, as plain containers of tensors."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        ...


class Row(NamedTuple):
    """Where the outcome of a key lies: a row of a batch, and the step that left it behind."""

    batch: Outcome
    row: int
    step: int


class KeyedCache:
    """Keys `label` and `bucket`: the label, or the label modulo the number of buckets.

    Args:
        keys: number of keys; the number of classes for the key `label`.
        max_age: steps after which an outcome is of no use any more; None is never.
        offset: added to a sample's key on recall, modulo `keys`: with 1, the key `other-label`.
    """

    def __init__(self, keys: int, max_age: int | None = None, offset: int = 0) -> None:
        self._keys = keys
        self._offset = offset
        self._max_age = max_age
        self._rows: dict[int, Row] = {}
        self._step = 0

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome that is not too old."""
        found = (self._rows.get(key) for key in self._keys_of(labels + self._offset))
        return torch.tensor([row is not None and self._is_fresh(row) for row in found])

    def recall(self, labels: Tensor) -> Outcome:
        """Return the keys' outcomes; a copy only where they lie apart."""
        found = [self._rows[key] for key in self._keys_of(labels + self._offset)]
        first = found[0].batch
        positions = [row.row for row in found]
        if all(row.batch is first for row in found):
            if positions == list(range(len(first.labels))):
                return first
            return first.rows(torch.tensor(positions))
        return combine([_view(row) for row in found], joined)

    def store(self, outcome: Outcome) -> None:
        """Let the keys of the batch refer to its rows."""
        for row, key in enumerate(self._keys_of(outcome.labels)):
            self._rows[key] = Row(outcome, row, self._step)
        self._step += 1

    def state(self) -> dict[str, Any]:
        """Return the rows in use, and no others."""
        if not self._rows:
            return {"step": self._step, "steps": {}, "outcome": None}
        rows = combine([_view(row) for row in self._rows.values()], joined)
        steps = {key: row.step for key, row in self._rows.items()}
        return {"step": self._step, "steps": steps, "outcome": vars(rows)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._step = state["step"]
        rows = None if state["outcome"] is None else Outcome(**state["outcome"])
        self._rows = {
            key: Row(rows, position, step)
            for position, (key, step) in enumerate(state["steps"].items())
            if rows is not None
        }

    def _keys_of(self, labels: Tensor) -> list[int]:
        return [label % self._keys for label in labels.tolist()]

    def _is_fresh(self, row: Row) -> bool:
        return self._max_age is None or self._step - row.step <= self._max_age


class BatchCache:
    """Key `batch`: the previous batch's outcome.

    The i-th sample of the previous batch stands for the i-th sample of this one.
    """

    def __init__(self) -> None:
        self._previous: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return whether there was a batch before this one, for each sample: bool [batch]."""
        return torch.full_like(labels, self._previous is not None, dtype=torch.bool)

    def recall(self, labels: Tensor) -> Outcome:
        """Return the previous batch's outcome."""
        assert self._previous is not None
        return self._previous

    def store(self, outcome: Outcome) -> None:
        """Keep the outcome for the next batch."""
        self._previous = outcome

    def state(self) -> dict[str, Any]:
        """Return the previous batch's outcome."""
        return {"outcome": None if self._previous is None else vars(self._previous)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        outcome = state["outcome"]
        self._previous = None if outcome is None else Outcome(**outcome)


def without_inputs(outcome: Outcome, kept: int | None = None) -> Outcome:
    """Drop the layer inputs, all but that of layer `kept`: reuse `outcomes` does not read them."""
    inputs = (one if index == kept else None for index, one in enumerate(outcome.inputs))
    return replace(outcome, inputs=tuple(inputs))


def _view(row: Row) -> Outcome:
    """Return one row as an outcome of one sample, without a copy."""
    return combine([row.batch], lambda tensors: tensors[0][row.row : row.row + 1])


def expected_age(experiment: Experiment, classes: int) -> float:
    """Return the mean age of a cached outcome, in steps, when it is used.

    A key comes back after as many samples as there are keys, on average; the previous batch is
    one step old, and nothing is younger.
    """
    if experiment.key == "batch":
        return 1.0
    return max(1.0, (experiment.buckets or classes) / experiment.batch_size)
