"""Where in memory the cached outcomes lie: slots, and which sample reads and writes which.

The forward of a batch writes its outcomes into slots that hold nothing of use; after the batch, the
slot of the last sample of each key holds the key's outcome, and the one before is free. Nothing is
copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
NOTHING = -1


@dataclass(frozen=True)
class Records:
    """What a batch reads and writes; int64 [samples] each.

    Attributes:
        keys: keys of the samples.
        read: slots of the outcomes to speculate with; of a sample without one, a spare slot.
        write: slots for the batch's own outcomes.
        speculated_labels: labels of the samples that those outcomes are of; of a sample without
            one, its own.
        seen: whether there is a cached outcome, bool [samples].
    """

    keys: Integers
    read: Integers
    write: Integers
    speculated_labels: Integers
    seen: NDArray[np.bool_]


class Slots:
    """The slots of a training.

    Args:
        keys: how many keys have an outcome: the classes, or with `by_place` the batch's samples.
        samples: number of samples of a batch.
        by_place: whether the key is the place in the batch, not the label.
    """

    def __init__(self, keys: int, samples: int, by_place: bool) -> None:
        self._samples, self._by_place = samples, by_place
        self._total = keys + samples
        self._held = np.full(keys, NOTHING, np.int64)
        self._labels = np.zeros(keys, np.int64)

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self._held)

    @property
    def spare(self) -> int:
        """The slot that samples without a cached outcome read."""
        return self._total

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which keys have an outcome."""
        valid: NDArray[np.bool_] = self._held != NOTHING
        return valid

    @property
    def held(self) -> Integers:
        """The slots that hold the outcome of a key."""
        return self._held[self.valid]

    def records(self, labels: Integers) -> Records:
        """Return what the next batch reads and writes."""
        keys = np.arange(len(labels)) if self._by_place else labels
        seen = self.valid[keys]
        free = np.setdiff1d(np.arange(self._total), self.held)
        return Records(
            keys,
            np.where(seen, self._held[keys], self.spare),
            free[: len(labels)],
            np.where(seen, self._labels[keys], labels),
            seen,
        )

    def take_in(self, records: Records, labels: Integers) -> None:
        """Note that a batch has been forward: the last sample of a key counts."""
        # Of equal indices numpy's assignment keeps the last.
        self._held[records.keys] = records.write
        self._labels[records.keys] = labels

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on later."""
        return {"held": self._held.copy(), "labels": self._labels.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._held[:], self._labels[:] = state["held"], state["labels"]
