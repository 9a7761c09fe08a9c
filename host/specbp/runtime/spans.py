"""Spans: which engine did what, and when; phase times and timelines are made of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

Now = Callable[[], float]
"""Gives the moment on the engine that asks, s; on a stream the number of an event, to be read when
the stream has come by."""

Phase = Literal[
    "load", "forward", "recall", "input gradient", "weight gradient", "gate", "redo", "store",
    "wait", "update", "overlay",
]  # fmt: skip


class Span(NamedTuple):
    """A stretch of time in which an engine did one thing; a tuple, since many are made in a step.

    Attributes:
        engine: 0 is the caller's.
        phase: what it did.
        layer: name of the layer, empty where it is none.
        started: s, from an arbitrary origin.
        ended: s, from the same origin.
    """

    engine: int
    phase: str
    layer: str
    started: float
    ended: float

    @property
    def duration_ms(self) -> float:
        """How long it took, ms."""
        return (self.ended - self.started) * 1e3


class Recorder:
    """Collects the spans of one step; engines may record at the same time.

    Args:
        now: the clock of the engines.
    """

    def __init__(self, now: Now = time.perf_counter) -> None:
        self.spans: list[Span] = []
        self._now = now

    def span(self, engine: int, phase: Phase, layer: str = "") -> Recording:
        """Record what is done inside."""
        return Recording(self.spans, self._now, engine, phase, layer)

    def in_copy(self) -> Recorder:
        """Return a recorder that has the same spans so far."""
        copy = Recorder(self._now)
        copy.spans += self.spans
        return copy


class Recording:
    """A span in progress; a class, since a generator would cost as much as a small layer.

    Args:
        spans: takes the span when it ends.
        now: clock, s.
        engine: number of the engine.
        phase: what is done.
        layer: name of the layer.
    """

    __slots__ = ("_engine", "_layer", "_now", "_phase", "_spans", "_started")

    def __init__(self, spans: list[Span], now: Now, engine: int, phase: Phase, layer: str) -> None:
        self._spans, self._now = spans, now
        self._engine, self._phase, self._layer = engine, phase, layer

    def __enter__(self) -> None:
        self._started = self._now()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            ended = self._now()
            self._spans.append(Span(self._engine, self._phase, self._layer, self._started, ended))
