"""The cache: for each key, what the forward of the last sample with that key saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from specbp.experiment import Experiment
from specbp.memory_order import channels_together, in_memory_order

Saved = dict[str, Tensor]
"""What a forward saves for one node, one row for each sample: `input`, `saved`."""

NEVER = -1


class Cache(Protocol):
    """The last saved forward of each key."""

    def hit(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has a saved forward of use: bool [batch]."""
        ...

    def labels_of(self, labels: Tensor) -> Tensor:
        """Return the labels of the cached samples for the keys of a batch, int64 [batch]."""
        ...

    def lookup(self, node: int, labels: Tensor) -> Saved:
        """Return what is cached for a node, a row for each sample; rows without a hit are zeros."""
        ...

    def commit(self, node: int, labels: Tensor, saved: Saved) -> None:
        """Take in what the forward of a batch saved for a node; the last sample of a key counts."""
        ...

    def end_step(self, labels: Tensor) -> None:
        """Take in that all nodes of the batch are committed."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on later, as plain containers of tensors."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        ...


class KeyedCache:
    """Keys `label` and `bucket`: the label, or the label modulo the number of buckets.

    Each key has a slot, a row of tensors that are made once; one more row takes what is not kept.

    Args:
        keys: number of keys.
        max_age: steps after which a saved forward is of no use any more; None is never.
        offset: added to a sample's label on lookup, modulo `keys`: with 1, the key `other-label`.
    """

    def __init__(self, keys: int, max_age: int | None = None, offset: int = 0) -> None:
        self.keys = keys
        self._max_age = max_age
        self._offset = offset
        self._step = 0
        self._stored_at = torch.full((keys,), NEVER)
        self._labels = torch.zeros(keys + 1, dtype=torch.int64)
        self._slots: dict[int, Saved] = {}

    def hit(self, labels: Tensor) -> Tensor:
        """Return for each sample whether its key has a saved forward that is not too old."""
        stored_at = self._stored_at[self._looked_up(labels)]
        oldest = 0 if self._max_age is None else max(0, self._step - self._max_age)
        return stored_at >= oldest

    def labels_of(self, labels: Tensor) -> Tensor:
        """Return the labels of the cached samples; 0 for a key without one."""
        return self._labels[self._looked_up(labels)]

    def lookup(self, node: int, labels: Tensor) -> Saved:
        """Return copies of the slots of the keys."""
        index = self._looked_up(labels)
        return {name: rows_of(slots, index) for name, slots in self._slots[node].items()}

    def commit(self, node: int, labels: Tensor, saved: Saved) -> None:
        """Copy the last sample of each key of the batch into the slot of the key."""
        index = self._committed(labels)
        if node not in self._slots:
            self._slots[node] = {name: _slots(rows, self.keys + 1) for name, rows in saved.items()}
        for name, rows in saved.items():
            in_memory_order(self._slots[node][name]).index_copy_(0, index, in_memory_order(rows))

    def end_step(self, labels: Tensor) -> None:
        """Take in that all nodes of the batch are committed."""
        self._labels.index_copy_(0, self._committed(labels), labels)
        self._stored_at[labels % self.keys] = self._step
        self._step += 1

    def state(self) -> dict[str, Any]:
        """Return the slots."""
        return {
            "step": self._step,
            "stored_at": self._stored_at,
            "labels": self._labels,
            "slots": self._slots,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._step = state["step"]
        self._stored_at.copy_(state["stored_at"])
        self._labels.copy_(state["labels"])
        self._slots = {node: dict(saved) for node, saved in state["slots"].items()}

    def _looked_up(self, labels: Tensor) -> Tensor:
        return (labels + self._offset) % self.keys

    def _committed(self, labels: Tensor) -> Tensor:
        """Return for each sample the row it goes to: that of its key for the last sample of one."""
        keys = labels % self.keys
        is_followed = (keys[:, None] == keys).triu_(1).any(1)
        return keys.masked_fill(is_followed, self.keys)


class BatchCache:
    """Key `batch`: what the previous batch saved, in the memory in which its forward left it.

    The i-th sample of the previous batch stands for the i-th sample of this one.
    """

    def __init__(self) -> None:
        self._labels = torch.zeros(0, dtype=torch.int64)
        self._previous: dict[int, Saved] = {}
        self._coming: dict[int, Saved] = {}

    def hit(self, labels: Tensor) -> Tensor:
        """Return whether there was a batch before this one, for each sample: bool [batch]."""
        return torch.full_like(labels, bool(self._previous), dtype=torch.bool)

    def labels_of(self, labels: Tensor) -> Tensor:
        """Return the labels of the previous batch."""
        return self._labels

    def lookup(self, node: int, labels: Tensor) -> Saved:
        """Return what the previous batch saved."""
        return self._previous[node]

    def commit(self, node: int, labels: Tensor, saved: Saved) -> None:
        """Keep what the batch saved for the next one."""
        self._coming[node] = saved

    def end_step(self, labels: Tensor) -> None:
        """Let the batch be the previous one."""
        self._labels = labels
        self._previous, self._coming = self._coming, {}

    def state(self) -> dict[str, Any]:
        """Return what the previous batch saved."""
        return {"labels": self._labels, "slots": self._previous}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._labels = state["labels"]
        self._previous = {node: dict(saved) for node, saved in state["slots"].items()}


def cache_shape(experiment: Experiment, classes: int) -> tuple[int, int, int | None] | None:
    """Return number of keys (0 for the key `batch`), offset and largest age of the cache.

    Args:
        experiment: what to train, and how.
        classes: number of labels.

    Returns:
        None where nothing is speculated.
    """
    if not experiment.speculates:
        return None
    if experiment.key == "batch":
        return 0, 0, None
    return experiment.buckets or classes, int(experiment.key == "other-label"), experiment.max_age


def expected_age(experiment: Experiment, classes: int) -> float:
    """Return the mean age of a cached sample, in steps, when it is used.

    A key comes back after as many samples as there are keys, on average; the previous batch is
    one step old, and nothing is younger.
    """
    if experiment.key == "batch":
        return 1.0
    return max(1.0, (experiment.buckets or classes) / experiment.batch_size)


def open_cache(shape: tuple[int, int, int | None] | None) -> Cache | None:
    """Return a cache of that shape, see `cache_shape`."""
    if shape is None:
        return None
    keys, offset, max_age = shape
    return KeyedCache(keys, max_age, offset) if keys else BatchCache()


def rows_of(rows: Tensor, index: Tensor) -> Tensor:
    """Return a copy of the rows at `index`, int64, in the memory format of `rows`."""
    picked = in_memory_order(rows).index_select(0, index)
    return picked.permute(0, 3, 1, 2) if channels_together(rows) else picked


def _slots(rows: Tensor, count: int) -> Tensor:
    """Return `count` rows of zeros, of the shape and memory format of those of `rows`."""
    return torch.zeros_like(rows[:1].expand(count, *rows.shape[1:]))
