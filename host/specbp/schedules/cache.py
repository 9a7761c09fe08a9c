"""The cache: the last outcome for each key.

Writing is in two parts, so that the copies can be made by another engine: `note` says at once
which keys have a new outcome, `store` brings it in before anything is recalled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from specbp.experiment import Experiment
from specbp.schedules.outcome import Outcome, put_rows

UNSEEN = -1


class Cache(Protocol):
    """The last outcome for each key."""

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome of use: bool [batch]."""
        ...

    def recall(self, labels: Tensor) -> Outcome:
        """Return the cached outcomes, one row per sample, for samples whose keys were seen.

        What is returned may change when an outcome is stored, and is not to be written.
        """
        ...

    def note(self, labels: Tensor) -> None:
        """Take in that the keys of a batch have an outcome; `store` must follow."""
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


class KeyedCache:
    """Keys `label` and `bucket`: the label, or the label modulo the number of buckets.

    Each key has a slot, a row of tensors that are made once.

    Args:
        keys: number of keys; the number of classes for the key `label`.
        max_age: steps after which an outcome is of no use any more; None is never.
        offset: added to a sample's key on recall, modulo `keys`: with 1, the key `other-label`.
    """

    def __init__(self, keys: int, max_age: int | None = None, offset: int = 0) -> None:
        self._keys = keys
        self._max_age = max_age
        self._offset = offset
        self._step = 0
        self._stored_at = torch.full((keys,), UNSEEN)
        self._slots: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome that is not too old."""
        stored_at = self._stored_at[self._recalled(labels)]
        oldest = 0 if self._max_age is None else max(0, self._step - self._max_age)
        return stored_at >= oldest

    def recall(self, labels: Tensor) -> Outcome:
        """Return the keys' slots: of one sample without a copy, of more as a copy."""
        assert self._slots is not None
        return self._slots.rows(self._recalled(labels))

    def note(self, labels: Tensor) -> None:
        """Take in that the keys of a batch have an outcome; `store` must follow."""
        self._stored_at[labels % self._keys] = self._step
        self._step += 1

    def store(self, outcome: Outcome) -> None:
        """Copy the last sample of each key of the batch into the key's slot."""
        if self._slots is None:
            self._slots = outcome.slots(self._keys)
        keys, samples = last_of_each(outcome.labels % self._keys, self._keys)
        put_rows(self._slots, keys, outcome.rows(samples))

    def state(self) -> dict[str, Any]:
        """Return the slots."""
        return {
            "step": self._step,
            "stored_at": self._stored_at,
            "slots": None if self._slots is None else vars(self._slots),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._step = state["step"]
        self._stored_at = state["stored_at"]
        self._slots = None if state["slots"] is None else Outcome(**state["slots"])

    def _recalled(self, labels: Tensor) -> Tensor:
        return (labels + self._offset) % self._keys


class BatchCache:
    """Key `batch`: the previous batch's outcome.

    The i-th sample of the previous batch stands for the i-th sample of this one.
    """

    def __init__(self) -> None:
        self._is_seen = False
        self._previous: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return whether there was a batch before this one, for each sample: bool [batch]."""
        return torch.full_like(labels, self._is_seen, dtype=torch.bool)

    def recall(self, labels: Tensor) -> Outcome:
        """Return the previous batch's outcome."""
        assert self._previous is not None
        return self._previous

    def note(self, labels: Tensor) -> None:
        """Take in that there is a previous batch; `store` must follow."""
        self._is_seen = True

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
        self._is_seen = outcome is not None


def last_of_each(keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the keys that occur, ascending, and the position of the last sample of each.

    Args:
        keys: int64 [batch], each in 0..count-1.
        count: number of keys.
    """
    last = torch.full((count,), -1, device=keys.device)
    last.scatter_reduce_(0, keys, torch.arange(len(keys), device=keys.device), "amax")
    present = (last >= 0).nonzero()[:, 0]
    return present, last[present]


def without_inputs(outcome: Outcome, kept: int | None = None) -> Outcome:
    """Drop the layer inputs, all but that of layer `kept`: reuse `outcomes` does not read them."""
    inputs = (one if index == kept else None for index, one in enumerate(outcome.inputs))
    return replace(outcome, inputs=tuple(inputs))


def expected_age(experiment: Experiment, classes: int) -> float:
    """Return the mean age of a cached outcome, in steps, when it is used.

    A key comes back after as many samples as there are keys, on average; the previous batch is
    one step old, and nothing is younger.
    """
    if experiment.key == "batch":
        return 1.0
    return max(1.0, (experiment.buckets or classes) / experiment.batch_size)
