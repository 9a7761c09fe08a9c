"""Orders a program: puts in the semaphores and barriers without which units would race.

Passes emit descriptors in an order in which they are right one after the other. Here each finds
out which earlier descriptor of another unit it must come after, since the two touch the same
words and one of them writes. Units work in order, so it is enough to wait for the latest of them,
and to wait for nothing that an earlier wait has seen complete already. What remains costs four
semaphores: one in each direction between load and compute, and between compute and store.

What is stored and loaded again later is ordered by a barrier: only there must load wait for store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from specbp.overlay.compiler.emitter import SkipEnd, Tagged
from specbp.overlay.compiler.memory_map import MemoryMap
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Nop, Skip, Unit
from specbp.overlay.instructions.access import Access
from specbp.overlay.parameters import Parameters

SEMAPHORES: dict[tuple[Unit, Unit], int] = {
    (Unit.LOAD, Unit.COMPUTE): 1,
    (Unit.COMPUTE, Unit.LOAD): 2,
    (Unit.COMPUTE, Unit.STORE): 3,
    (Unit.STORE, Unit.COMPUTE): 4,
}
"""By who signals and who waits."""

GRANULE = 8
"""Words of memory that are told apart; tensors begin at multiples."""

Clock = dict[Unit, int]
"""For each unit the number of its last descriptor that is complete; -1 for none."""


def ordered(
    program: Iterable[Tagged | SkipEnd], parameters: Parameters, memory: MemoryMap
) -> list[Tagged]:
    """Return `program` with semaphores and barriers.

    What a Skip may skip lies between two barriers, so that its semaphores are its own.

    Args:
        program: descriptors in an order in which they are right one after the other.
        parameters: parameters of the overlay.
        memory: where the tensors lie.
    """
    orderer = _Orderer(parameters, memory)
    for tagged in program:
        if isinstance(tagged, SkipEnd):
            orderer.end_skip()
        else:
            orderer.append(tagged)
    return orderer.finished()


@dataclass
class _Placed:
    """A descriptor in its place.

    Attributes:
        tagged: without its order.
        complete: what is complete when it is, itself included.
        waits: semaphores it takes.
        signals: numbers of the semaphores it signals.
    """

    tagged: Tagged
    complete: Clock
    waits: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)


class _Orderer:
    def __init__(self, parameters: Parameters, memory: MemoryMap) -> None:
        self._groups = parameters.groups
        self._extent = memory.extent
        self._history = _History(parameters, (memory.base, memory.size))
        self._placed: list[_Placed] = []
        self._skip: int | None = None
        self._known: dict[Unit, Clock] = {unit: dict.fromkeys(Unit, -1) for unit in Unit}

    def append(self, tagged: Tagged) -> None:
        unit = tagged.descriptor.unit
        if unit is None:
            if isinstance(tagged.descriptor, Skip):
                assert self._skip is None
                self._skip = len(self._placed)
            self._barrier(tagged)
            return
        touched = list(tagged.descriptor.accesses(self._groups, self._extent))
        before = self._history.before(touched, unit)
        waits, known = self._waits(before, unit)
        if any(latest > known[other] for other, latest in before.items()):
            self._barrier(Tagged(Nop(), tagged.tag))
            waits, known = [], self._known[unit]
        for latest in waits:
            producer = self._placed[latest].tagged.descriptor.unit
            assert producer is not None
            self._placed[latest].signals.append(SEMAPHORES[producer, unit])
        position = len(self._placed)
        self._known[unit] = known | {unit: position}
        taken = [self._placed[latest].signals[-1] for latest in waits]
        self._placed.append(_Placed(tagged, dict(self._known[unit]), taken))
        self._history.note(touched, unit, position)

    def end_skip(self) -> None:
        """End with a barrier what the last Skip may skip."""
        assert self._skip is not None
        skip = self._placed[self._skip].tagged
        self._barrier(Tagged(Nop(), skip.tag))
        count = len(self._placed) - self._skip - 1
        assert isinstance(skip.descriptor, Skip)
        counted = replace(skip.descriptor, count=count)
        self._placed[self._skip].tagged = Tagged(counted, skip.tag)
        self._skip = None

    def finished(self) -> list[Tagged]:
        return [_with_order(placed) for placed in self._placed]

    def _barrier(self, tagged: Tagged) -> None:
        everything = dict.fromkeys(Unit, len(self._placed))
        self._known = {unit: dict(everything) for unit in Unit}
        self._placed.append(_Placed(tagged, everything))

    def _waits(self, before: Clock, unit: Unit) -> tuple[list[int], Clock]:
        """Return which descriptors to wait for with semaphores, and what is complete then."""
        known, waits = dict(self._known[unit]), []
        for other, latest in before.items():
            if (other, unit) in SEMAPHORES and latest > known[other]:
                waits.append(latest)
                _join(known, self._placed[latest].complete)
        return waits, known


class _History:
    """Who touched what last: the position of a descriptor for each unit, word and direction."""

    def __init__(self, parameters: Parameters, memory: tuple[int, int]) -> None:
        self._first_granule = memory[0] // WORD_BYTES // GRANULE
        spaces = {
            "scalar": parameters.scalar_words,
            "vector": parameters.vector_rows,
            "bias": 2 * parameters.bias_rows,
            "output": parameters.output_words,
            "partial": parameters.partial_rows,
            "memory": -(-memory[1] // (WORD_BYTES * GRANULE)),
        }
        self._last = {
            (space, unit, write): np.full(size, -1, np.int32)
            for space, size in spaces.items()
            for unit in Unit
            for write in (False, True)
            if (unit, write) in _TOUCHED_BY[space]
        }

    def before(self, touched: Sequence[Access], unit: Unit) -> Clock:
        """Return for each other unit the last descriptor in conflict with `touched`."""
        latest: Clock = {}
        for access in touched:
            for (space, other, wrote), last in self._last.items():
                if space == access.space and other is not unit and (wrote or access.write):
                    position = int(last[self._range(access)].max())
                    latest[other] = max(latest.get(other, -1), position)
        return latest

    def note(self, touched: Sequence[Access], unit: Unit, position: int) -> None:
        """Remember what the descriptor at `position` touches."""
        for access in touched:
            self._last[access.space, unit, access.write][self._range(access)] = position

    def _range(self, access: Access) -> slice:
        if access.space != "memory":
            return slice(access.low, access.high)
        first = access.low // GRANULE - self._first_granule
        return slice(first, -(-access.high // GRANULE) - self._first_granule)


_TOUCHED_BY = {
    "scalar": {(Unit.LOAD, True), (Unit.COMPUTE, False)},
    "vector": {(Unit.LOAD, True), (Unit.COMPUTE, False)},
    "bias": {(Unit.LOAD, True), (Unit.COMPUTE, False)},
    "output": {(Unit.COMPUTE, True), (Unit.STORE, False)},
    "partial": {(Unit.COMPUTE, True), (Unit.COMPUTE, False)},
    "memory": {(Unit.LOAD, False), (Unit.STORE, True)},
}
"""Which units read (False) and write (True) a space."""


def _join(known: Clock, more: Clock) -> None:
    for unit, position in more.items():
        known[unit] = max(known[unit], position)


def _with_order(placed: _Placed) -> Tagged:
    descriptor = placed.tagged.descriptor
    if descriptor.unit is None:
        return placed.tagged
    order = replace(descriptor.order, waits=tuple(placed.waits), signals=tuple(placed.signals))
    return Tagged(replace(descriptor, order=order), placed.tagged.tag)
