"""Finds accesses of two units that nothing orders: races.

Load, compute and store each take their descriptors in program order; between them only semaphores
and barriers order anything. So a program is right on every machine and under every stall if it is
right in program order and each pair of accesses of two units to the same word, one of them a
write, is ordered. This checks the second, for the accesses it is told about.

For each unit it keeps which descriptor of every unit is known to be complete (a vector clock). A
semaphore that one unit signals and one unit takes is a queue: its k-th wait comes after its k-th
signal. Other uses of semaphores are refused, since nobody could say what they order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError
from specbp.overlay.isa import (
    Copy,
    Descriptor,
    End,
    Fill,
    Load,
    LoadTransposed,
    Nop,
    Semaphores,
    Store,
)

MOST_SIGNALS = 255
"""A semaphore counts no further."""


class Unit(Enum):
    """What works on its own."""

    LOAD = "load"
    COMPUTE = "compute"
    STORE = "store"


class RaceError(SpecbpError):
    """Nothing orders two accesses, or a semaphore cannot order anything."""


def unit_of(descriptor: Descriptor) -> Unit | None:
    """Return the unit that does `descriptor`; None for the sequencer, which waits for all."""
    match descriptor:
        case Nop() | Copy() | End():
            return None
        case Load() | Fill() | LoadTransposed():
            return Unit.LOAD
        case Store():
            return Unit.STORE
        case _:
            return Unit.COMPUTE


Clock = dict[Unit, int]
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

    producer: Unit | None = None
    consumer: Unit | None = None
    signalled: deque[Clock] = field(default_factory=deque)
    signals: int = 0
    waits: list[int] = field(default_factory=list)


class RaceDetector:
    """Follows a program in program order.

    Args:
        spaces: how many words each address space has, by name.
    """

    def __init__(self, spaces: dict[str, int]) -> None:
        self._known: dict[Unit, Clock] = {unit: _nothing() for unit in Unit}
        self._semaphores: dict[int, _Semaphore] = {}
        self._last = {
            (space, unit, write): np.full(words, -1, np.int32)
            for space, words in spaces.items()
            for unit in Unit
            for write in (False, True)
        }
        self._position = -1
        self._descriptor: Descriptor = Nop()

    def begin(self, position: int, descriptor: Descriptor) -> None:
        """Start the next descriptor.

        Raises:
            RaceError: it waits for what no earlier descriptor signals.
        """
        self._position, self._descriptor = position, descriptor
        unit = unit_of(descriptor)
        if unit is None:
            everything = dict.fromkeys(Unit, position)
            self._known = {one: dict(everything) for one in Unit}
            return
        for number in _order(descriptor).waits:
            semaphore = self._semaphores.setdefault(number, _Semaphore())
            self._use(number, "takes", semaphore.consumer, unit)
            semaphore.consumer = unit
            if not semaphore.signalled:
                raise RaceError(
                    f"{self._named()} waits for semaphore {number}, which nothing before it signals"
                )
            _join(self._known[unit], semaphore.signalled.popleft())
            semaphore.waits.append(position)

    def access(self, space: str, words: NDArray[np.int64], write: bool) -> None:
        """Note that the descriptor that has begun reads or writes `words` of `space`.

        Raises:
            RaceError: an earlier access of another unit may not be over by then.
        """
        unit = unit_of(self._descriptor)
        if unit is None or not len(words):
            return
        for other in Unit:
            if other is unit:
                continue
            for other_writes in (True, False) if write else (True,):
                before = self._last[space, other, other_writes][words]
                latest = int(before.max())
                if latest > self._known[unit][other]:
                    word = int(words[int(before.argmax())])
                    raise RaceError(
                        f"{self._named()} {'writes' if write else 'reads'} {space} word {word}, "
                        f"which descriptor {latest} of the {other.value} unit "
                        f"{'writes' if other_writes else 'reads'}: nothing orders the two"
                    )
        self._last[space, unit, write][words] = self._position

    def end(self) -> None:
        """Complete the descriptor that has begun.

        Raises:
            RaceError: a semaphore could count too far.
        """
        unit = unit_of(self._descriptor)
        if unit is None:
            return
        known = self._known[unit]
        known[unit] = self._position
        for number in _order(self._descriptor).signals:
            semaphore = self._semaphores.setdefault(number, _Semaphore())
            self._use(number, "signals", semaphore.producer, unit)
            semaphore.producer = unit
            semaphore.signalled.append(dict(known))
            semaphore.signals += 1
            taken = 0
            if semaphore.consumer is not None:
                taken = bisect_right(semaphore.waits, known[semaphore.consumer])
            if semaphore.signals - taken > MOST_SIGNALS:
                raise RaceError(f"{self._named()}: semaphore {number} may count beyond 255")

    def _use(self, number: int, does: str, before: Unit | None, unit: Unit) -> None:
        if before not in (None, unit):
            assert before is not None
            raise RaceError(
                f"{self._named()} {does} semaphore {number}, as the {before.value} unit does: "
                "its signals and waits cannot be told apart"
            )

    def _named(self) -> str:
        return f"descriptor {self._position} ({type(self._descriptor).__name__})"


def _order(descriptor: Descriptor) -> Semaphores:
    assert not isinstance(descriptor, Nop | Copy | End)
    return descriptor.order


def _nothing() -> Clock:
    return dict.fromkeys(Unit, -1)


def _join(known: Clock, more: Clock) -> None:
    for unit, position in more.items():
        known[unit] = max(known[unit], position)
