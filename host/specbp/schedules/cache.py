"""The cache: the last outcome for each key.

Writing is in two parts, so that the copies can be made by another engine: `note` says at once
which keys have a new outcome, `store` brings it in before anything is recalled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from specbp.schedules.engines import Done, Engine, Pending
from specbp.schedules.outcome import Outcome, copy_all, put_rows
from specbp.schedules.place import HOST

UNSEEN = -1


class Cache(Protocol):
    """The last outcome for each key.

    Attributes:
        copies: whether `store` takes time, so that it is worth another engine's while.
    """

    copies: bool

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome of use: bool [batch]."""
        ...

    def sees_all(self, labels: Tensor) -> bool:
        """Return whether all samples are `seen`."""
        ...

    def recall(self, labels: Tensor) -> Outcome:
        """Return the cached outcomes, one row per sample, for samples whose keys were seen.

        What is returned may change when an outcome is stored, and is not to be written.
        """
        ...

    def note(self, labels: Tensor) -> None:
        """Take in that the keys of a batch have an outcome; `store` must follow."""
        ...

    def offer(self, outcome: Outcome) -> None:
        """Show what a forward just left behind; who can copies it before `store` asks for it."""
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
        offset: added to a sample's key on recall, modulo `keys`: with 1, the key `other-label`.
        place: where the outcomes are.
    """

    copies = True

    def __init__(
        self,
        keys: int,
        offset: int = 0,
        place: torch.device = HOST,
    ) -> None:
        self._keys = keys
        self._offset = offset
        self._step = torch.tensor(0, device=place)
        self._stored_at = torch.full((keys,), UNSEEN, device=place)
        self._slots: Outcome | None = None

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has an outcome."""
        return self._stored_at[self._recalled(labels)] >= 0

    def sees_all(self, labels: Tensor) -> bool:
        """Return whether all samples are `seen`."""
        return bool(self.seen(labels).all())

    def recall(self, labels: Tensor) -> Outcome:
        """Return the keys' slots: of one sample without a copy, of more as a copy."""
        assert self._slots is not None
        return self._slots.rows(self._recalled(labels))

    def note(self, labels: Tensor) -> None:
        """Take in that the keys of a batch have an outcome; `store` must follow."""
        self._stored_at[labels % self._keys] = self._step
        self._step += 1

    def offer(self, outcome: Outcome) -> None:
        """Do nothing: the slots are still read."""

    def store(self, outcome: Outcome) -> None:
        """Copy the last sample of each key of the batch into the key's slot."""
        if self._slots is None:
            self._slots = outcome.slots(self._keys + 1)  # the last one is never read
        put_rows(self._slots, slots_of(outcome.labels % self._keys, self._keys), outcome)

    def state(self) -> dict[str, Any]:
        """Return the slots."""
        return {
            "step": int(self._step),
            "stored_at": self._stored_at,
            "slots": None if self._slots is None else vars(self._slots),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        place = self._step.device
        self._step.fill_(state["step"])
        self._stored_at.copy_(state["stored_at"])
        self._slots = None if state["slots"] is None else Outcome(**state["slots"]).to(place)

    def _recalled(self, labels: Tensor) -> Tensor:
        return (labels + self._offset) % self._keys


class _PreviousBatch:
    """The outcome of the previous batch, wherever it is kept.

    The i-th sample of the previous batch stands for the i-th sample of this one.
    """

    _is_seen = False

    def _cached(self) -> Outcome | None:
        raise NotImplementedError

    def seen(self, labels: Tensor) -> Tensor:
        """Return whether there was a batch before this one, for each sample: bool [batch]."""
        return torch.full_like(labels, self._is_seen, dtype=torch.bool)

    def sees_all(self, labels: Tensor) -> bool:
        """Return whether there was a batch before this one."""
        return self._is_seen

    def recall(self, labels: Tensor) -> Outcome:
        """Return the previous batch's outcome."""
        cached = self._cached()
        assert cached is not None
        return cached

    def note(self, labels: Tensor) -> None:
        """Take in that there is a previous batch; `store` must follow."""
        self._is_seen = True

    def state(self) -> dict[str, Any]:
        """Return the previous batch's outcome."""
        cached = self._cached()
        return {"outcome": None if cached is None else vars(cached)}


class BatchSlots(_PreviousBatch):
    """Key `batch`, in memory of its own, whatever memory forward uses; for batches of one size.

    There are two sets of slots in turn, so that an outcome is copied while the one before it is
    still being read.

    Args:
        engine: makes the copies.
        place: where the outcomes are.

    Attributes:
        current: the set that is recalled from, 0 or 1.
    """

    copies = True

    def __init__(self, engine: Engine, place: torch.device = HOST) -> None:
        self.current = 0
        self._engine = engine
        self._place = place
        self._slots: list[Outcome | None] = [None, None]
        self._copied: Pending[None] = Done(None)

    def _cached(self) -> Outcome | None:
        return self._slots[self.current]

    def offer(self, outcome: Outcome) -> None:
        """Begin to copy the outcome to the slots that are not recalled from."""
        slots = self._slots[1 - self.current]
        if slots is None:
            slots = self._slots[1 - self.current] = outcome.slots(len(outcome.labels))
        self._copied = self._engine.submit(partial(copy_all, outcome, slots))

    def join(self) -> None:
        """Wait for the copy."""
        self._copied.result()
        self._copied = Done(None)

    def store(self, outcome: Outcome) -> None:
        """Recall from the copy from now on."""
        self.join()
        self.current = 1 - self.current

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        outcome = state["outcome"]
        restored = None if outcome is None else Outcome(**outcome).to(self._place)
        self.current = 0
        self._slots = [restored, None]
        self._is_seen = outcome is not None


def slots_of(keys: Tensor, other: int) -> Tensor:
    """Return for each sample the slot it goes to, int64 [batch]: its key's if it is the last one.

    Args:
        keys: int64 [batch].
        other: the slot of all others.
    """
    is_followed = (keys[:, None] == keys).triu_(1).any(1)
    return keys.masked_fill(is_followed, other)


def without_inputs(outcome: Outcome, kept: int | None = None) -> Outcome:
    """Drop the layer inputs, all but that of layer `kept`: reuse `outcomes` does not read them."""
    inputs = (one if index == kept else None for index, one in enumerate(outcome.inputs))
    return replace(outcome, inputs=tuple(inputs))
