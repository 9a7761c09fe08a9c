"""Finds accesses of two units that nothing orders: races.

Load, compute and store of each core take their descriptors in program order; between them, and
between cores, only semaphores and barriers order anything. So programs are right on every machine
and under every stall if they are right in some order and each pair of accesses of two units to the
same word, one of them a write, is ordered. This checks the second, for the accesses it is told
about, whatever the order in which it is told.

For each unit it keeps which descriptor of every unit is known to be complete (a vector clock). A
semaphore that one unit signals and one unit takes is a queue: its k-th wait comes after its k-th
signal. Other uses of semaphores are refused, since nobody could say what they order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError
from specbp.overlay.core_state import TABLE_ENTRIES
from specbp.overlay.instructions import Descriptor, Nop, Unit

MOST_SIGNALS = 255
"""A semaphore counts no further."""
SHARED = {
    "memory": (("load", False), ("store", True)),
    "labels": (("compute", True),),
}
"""Spaces that all cores share: which units touch them, and whether they write."""
TABLE = "table"
"""The index table, which only barriers order."""


class RaceError(SpecbpError):
    """Nothing orders two accesses, or a semaphore cannot order anything."""


Actor = tuple[int, Unit]
"""A unit of a core."""
Clock = dict[Actor, int]
"""For each unit the position of its last descriptor known to be complete, -1 for none."""


@dataclass
class _Semaphore:
    """What is known of one semaphore.

    Attributes:
        producer: the unit that signals it.
        consumer: the unit that takes it.
        signalled: for each signal not yet taken, what is known to be complete by then.
        signals: signals so far.
        waits: positions of the descriptors that took it.
    """

    producer: Actor | None = None
    consumer: Actor | None = None
    signalled: deque[Clock] = field(default_factory=deque)
    signals: int = 0
    waits: list[int] = field(default_factory=list)


@dataclass
class _TouchedEntries:
    """Which entries of a core's index table were touched since its last barrier."""

    read: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(TABLE_ENTRIES, np.bool_))
    written: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(TABLE_ENTRIES, np.bool_))


class RaceDetector:
    """Follows programs, one descriptor at a time, each core's in program order.

    Args:
        spaces: how many words each address space has, by name; `SHARED` are those of all cores.
        cores: how many there are.
    """

    def __init__(self, spaces: dict[str, int], cores: int = 1) -> None:
        self._cores = cores
        self._actors = list(product(range(cores), Unit))
        self._known: dict[Actor, Clock] = {actor: self._nothing() for actor in self._actors}
        self._semaphores: dict[tuple[int | None, int], _Semaphore] = {}
        self._tables = [_TouchedEntries() for _ in range(cores)]
        self._last: dict[tuple[int | None, str, Actor, bool], NDArray[np.int32]] = {}
        for space, words in spaces.items():
            for core, actor, write in self._touching(space):
                self._last[core, space, actor, write] = np.full(words, -1, np.int32)
        self._core, self._position = 0, -1
        self._descriptor: Descriptor = Nop()

    def _touching(self, space: str) -> Iterator[tuple[int | None, Actor, bool]]:
        """Yield (core or None for all, unit, whether it writes) for whoever touches `space`."""
        if space in SHARED:
            for actor, write in product(self._actors, (False, True)):
                if (actor[1].value, write) in SHARED[space]:
                    yield None, actor, write
        else:
            for actor, write in product(self._actors, (False, True)):
                yield actor[0], actor, write

    def begin(self, position: int, descriptor: Descriptor, core: int = 0) -> None:
        """Start the next descriptor of `core`.

        Raises:
            RaceError: it waits for what no earlier descriptor signals.
        """
        self._core, self._position, self._descriptor = core, position, descriptor
        unit = descriptor.unit
        if unit is None:
            self._barrier()
            return
        for key in self._waits():
            semaphore = self._semaphores.setdefault(key, _Semaphore())
            actor = core, unit
            self._use(key, "takes", semaphore.consumer, actor)
            semaphore.consumer = actor
            if not semaphore.signalled:
                raise RaceError(
                    f"{self._named()} waits for {_semaphore(key)}, which nothing before it signals"
                )
            _join(self._known[actor], semaphore.signalled.popleft())
            semaphore.waits.append(position)

    def access(self, space: str, words: NDArray[np.int64], write: bool) -> None:
        """Note that the descriptor that has begun reads or writes `words` of `space`.

        Raises:
            RaceError: an earlier access of another unit may not be over by then.
        """
        if space == TABLE:
            self._access_table(words, write)
            return
        unit = self._descriptor.unit
        if unit is None or not len(words):
            return
        actor, where = (self._core, unit), None if space in SHARED else self._core
        known = self._known[actor]
        for (core, other_space, other, other_writes), last in self._last.items():
            if (core, other_space) != (where, space) or other == actor:
                continue
            if not write and not other_writes:
                continue
            before = last[words]
            latest = int(before.max())
            if latest > known[other]:
                word = int(words[int(before.argmax())])
                raise RaceError(
                    f"{self._named()} {'writes' if write else 'reads'} {space} word {word}, "
                    f"which {self._name(other[0], latest)} of the {other[1].value} unit "
                    f"{'writes' if other_writes else 'reads'}: nothing orders the two"
                )
        self._last[where, space, actor, write][words] = self._position

    def end(self) -> None:
        """Complete the descriptor that has begun.

        Raises:
            RaceError: a semaphore could count too far.
        """
        unit = self._descriptor.unit
        if unit is None:
            return
        actor = self._core, unit
        known = self._known[actor]
        known[actor] = self._position
        for key in self._signals():
            semaphore = self._semaphores.setdefault(key, _Semaphore())
            self._use(key, "signals", semaphore.producer, actor)
            semaphore.producer = actor
            semaphore.signalled.append(dict(known))
            semaphore.signals += 1
            taken = 0
            if semaphore.consumer is not None:
                taken = bisect_right(semaphore.waits, known[semaphore.consumer])
            if semaphore.signals - taken > MOST_SIGNALS:
                raise RaceError(f"{self._named()}: {_semaphore(key)} may count beyond 255")

    def _barrier(self) -> None:
        """All that the core has begun is complete."""
        own = [actor for actor in self._actors if actor[0] == self._core]
        everything = self._nothing()
        for actor in own:
            _join(everything, self._known[actor])
        everything |= dict.fromkeys(own, self._position)
        for actor in own:
            self._known[actor] = dict(everything)
        self._tables[self._core] = _TouchedEntries()

    def _access_table(self, entries: NDArray[np.int64], write: bool) -> None:
        table = self._tables[self._core]
        if self._descriptor.unit is None:
            return  # It is a barrier itself.
        others = table.read | table.written if write else table.written
        if others[entries].any():
            entry = int(entries[int(others[entries].argmax())])
            raise RaceError(
                f"{self._named()} {'writes' if write else 'reads'} entry {entry} of the index "
                "table, which was touched since the last barrier"
            )
        (table.written if write else table.read)[entries] = True

    def _waits(self) -> Iterator[tuple[int | None, int]]:
        """Yield the semaphores that the descriptor takes: (core, or None where shared; number)."""
        order = self._descriptor.order
        yield from ((self._core, number) for number in order.waits)
        if order.shared_wait:
            yield None, order.shared_wait

    def _signals(self) -> Iterator[tuple[int | None, int]]:
        order = self._descriptor.order
        yield from ((self._core, number) for number in order.signals)
        if order.shared_signal:
            yield None, order.shared_signal

    def _use(
        self, key: tuple[int | None, int], does: str, before: Actor | None, actor: Actor
    ) -> None:
        if before not in (None, actor):
            assert before is not None
            of_core = f" of core {before[0]}" if self._cores > 1 else ""
            raise RaceError(
                f"{self._named()} {does} {_semaphore(key)}, as the {before[1].value} unit{of_core} "
                "does: its signals and waits cannot be told apart"
            )

    def _nothing(self) -> Clock:
        return dict.fromkeys(self._actors, -1)

    def _name(self, core: int, position: int) -> str:
        return f"descriptor {position}" + (f" of core {core}" if self._cores > 1 else "")

    def _named(self) -> str:
        name = self._name(self._core, self._position)
        return f"{name} ({type(self._descriptor).__name__})"


def _semaphore(key: tuple[int | None, int]) -> str:
    return f"{'shared ' if key[0] is None else ''}semaphore {key[1]}"


def _join(known: Clock, more: Clock) -> None:
    for actor, position in more.items():
        known[actor] = max(known[actor], position)
