"""Comparisons handed out to places that train: boards of a fleet, or workers of a cluster.

A place that is lost does not stop the others: its comparison goes back to the queue, and from there
to any place that can train it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from specbp.errors import SpecbpError, UsageError
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener

RETRY_S = 1.0
MOST_TRIES = 5
"""A comparison whose place is lost so often is at fault itself."""


@dataclass(eq=False)
class Work:
    """A comparison that is to be trained somewhere.

    Attributes:
        cells: cells that it trains.
        names: names of the places that may train it; None for all.
        refused: names of the places that cannot train it, as they said.
        tries: how often a place was lost with it.
        reason: why the last place was lost.
    """

    cells: Sequence[Cell]
    names: frozenset[str] | None = None
    refused: set[str] = field(default_factory=set)
    tries: int = 0
    reason: str = ""


class Place(Protocol):
    """Where comparisons are trained.

    Attributes:
        name: what tells it from all others.
        machine: name of what it shares with other places, of which one trains at a time.
    """

    name: str
    machine: str

    def can_train(self, work: Work) -> bool:
        """Return whether the place has what a comparison needs."""
        ...

    def train(self, work: Work) -> str:
        """Train a comparison; return why the place was lost with it, or nothing.

        Raises:
            UsageError: the place cannot train it.
            Stopped: it was asked to stop.
        """
        ...

    def forget(self, work: Work) -> None:
        """Make a comparison, with which the place was lost, ready for another place."""
        ...

    def give_up(self, work: Work) -> None:
        """Store the reason of a comparison with which places were lost too often."""
        ...

    def answers(self) -> bool:
        """Return whether a place that was lost is there again."""
        ...


class Dispatcher:
    """A queue of comparisons, and a thread for every place that trains them.

    Args:
        waiting: comparisons to train.
        stop: function that says whether the user asked to stop.
        patience_s: time after which a place that does not answer is given up.
    """

    def __init__(
        self, waiting: Sequence[Work], stop: Callable[[], bool], patience_s: float
    ) -> None:
        self._waiting = list(waiting)
        self._asked_to_stop, self._patience_s = stop, patience_s
        self._places: dict[str, Place] = {}
        self._busy: dict[str, Work] = {}
        self._changed = threading.Condition()
        self._raised: list[BaseException] = []

    @property
    def names(self) -> set[str]:
        """The names of all places at work."""
        with self._changed:
            return set(self._places)

    @property
    def waiting(self) -> list[Work]:
        """The comparisons that no place trains now."""
        with self._changed:
            return list(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether no place trains anything."""
        with self._changed:
            return not self._busy

    def add(self, place: Place) -> None:
        """Let one more place train, until nothing is left for it or it is given up."""
        with self._changed:
            if self._raised or place.name in self._places:
                return
            self._places[place.name] = place
        threading.Thread(target=self._work, args=(place,), daemon=True).start()

    def withdraw(self, work: Work) -> bool:
        """Take a comparison from the queue; return whether it was there."""
        with self._changed:
            if work not in self._waiting:
                return False
            self._waiting.remove(work)
            self._changed.notify_all()
            return True

    def wait(self, seconds: float) -> bool:
        """Wait for a change; return whether nothing is left to do, or nobody to do it.

        Raises:
            BaseException: what a place raised, once no place trains any more.
        """
        with self._changed:
            if self._places and not self._is_over():
                self._changed.wait(seconds)
            if self._raised and not self._places:
                raise self._raised[0]
            return self._is_over()

    def is_stopping(self) -> bool:
        """Return whether places should stop: the user asked for it, or one of them failed."""
        return bool(self._raised) or self._asked_to_stop()

    def _is_over(self) -> bool:
        return not (self._waiting or self._busy or self._raised)

    def _work(self, place: Place) -> None:
        """Train on `place` until nothing is left for it, or it is given up."""
        try:
            while (work := self._take(place)) is not None:
                lost = True
                try:
                    lost = self._try(work, place)
                finally:
                    # Not before what comes back is there: who finds nothing running, ends.
                    with self._changed:
                        del self._busy[place.machine]
                        self._changed.notify_all()
                if lost and not self._answers_again(place):
                    return
        except BaseException as error:
            with self._changed:
                self._raised.append(error)
        finally:
            with self._changed:
                del self._places[place.name]
                self._changed.notify_all()

    def _take(self, place: Place) -> Work | None:
        """Return what to train next, what few places can train first; None at the end."""
        with self._changed:
            while not self._raised:
                mine = self._of(place)
                if mine and place.machine not in self._busy:
                    work = min(mine, key=self._choice)
                    self._waiting.remove(work)
                    self._busy[place.machine] = work
                    return work
                if not self._busy:
                    return None
                # What runs elsewhere may come back.
                self._changed.wait(RETRY_S)
        return None

    def _of(self, place: Place) -> list[Work]:
        return [work for work in self._waiting if _fits(work, place)]

    def _choice(self, work: Work) -> int:
        return sum(_fits(work, place) for place in self._places.values())

    def _try(self, work: Work, place: Place) -> bool:
        """Train a comparison, or put it back; return whether its place was lost with it."""
        try:
            reason = place.train(work)
        except UsageError:
            work.refused.add(place.name)
            with self._changed:
                if not any(_fits(work, other) for other in self._places.values()):
                    raise
                # Another one may have the overlay, or the data, that this one lacks.
                self._waiting.append(work)
            return False
        if not reason:
            return False
        work.tries += 1
        work.reason = reason
        if work.tries == MOST_TRIES:
            place.give_up(work)
            return True
        place.forget(work)
        with self._changed:
            self._waiting.append(work)
        return True

    def _answers_again(self, place: Place) -> bool:
        """Wait until a lost place is there again; false where it is given up."""
        end = time.monotonic() + self._patience_s
        while time.monotonic() < end and not self.is_stopping():
            with self._changed:
                if not self._of(place) and not self._busy:
                    return True
                self._changed.wait(RETRY_S)
            if place.answers():
                return True
        return False


def _fits(work: Work, place: Place) -> bool:
    allowed = work.names is None or place.name in work.names
    return allowed and place.name not in work.refused and place.can_train(work)


def left_over(waiting: Sequence[Work], cure: str) -> SpecbpError:
    """Return the error about comparisons that nobody trained.

    Args:
        waiting: what was left, at least one.
        cure: what to see to.
    """
    reasons = sorted({work.reason or "nobody who could answers" for work in waiting})
    return SpecbpError(
        f"{len(waiting)} comparisons were left: {'; '.join(reasons)[:600]}: see to {cure}, and run "
        "the same command again"
    )


class OneAtATime:
    """A listener that hears one thread at a time.

    Args:
        listener: listener that is told.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener, self._lock = listener, threading.Lock()

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Tell of the begin of a training."""
        with self._lock:
            self._listener.began(cells, steps, steps_done)

    def advanced(self, cell: Cell, steps: int) -> None:
        """Tell of steps that were done."""
        with self._lock:
            self._listener.advanced(cell, steps)

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Tell of a cell that is done."""
        with self._lock:
            self._listener.finished(cell, run)
