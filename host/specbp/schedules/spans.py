"""Spans: which engine did what, and when; phase times and timelines are made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "load", "forward", "recall", "input gradient", "weight gradient", "gate", "redo", "store",
    "wait", "update", "overlay",
]  # fmt: skip


@dataclass(frozen=True)
class Span:
    """A stretch of time in which an engine did one thing.

    Attributes:
        engine: 0 is the caller's.
        phase: what it did.
        layer: name of the layer, empty where it is none.
        started: s, from an arbitrary origin.
        ended: s, from the same origin.
    """

    engine: int
    phase: Phase
    layer: str
    started: float
    ended: float

    @property
    def duration_ms(self) -> float:
        """How long it took, ms."""
        return (self.ended - self.started) * 1e3


class Recorder:
    """Collects the spans of one step; engines may record at the same time."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def span(self, engine: int, phase: Phase, layer: str = "") -> Recording:
        """Record what is done inside."""
        return Recording(self.spans, engine, phase, layer)


class Recording:
    """A span in progress; a class, since a generator would cost as much as a small layer.

    Args:
        spans: takes the span when it ends.
        engine: see `Span`, likewise for the rest.
        phase: what is done.
        layer: name of the layer.
    """

    __slots__ = ("_engine", "_layer", "_phase", "_spans", "_started")

    def __init__(self, spans: list[Span], engine: int, phase: Phase, layer: str) -> None:
        self._spans, self._engine, self._phase, self._layer = spans, engine, phase, layer

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            ended = time.perf_counter()
            self._spans.append(Span(self._engine, self._phase, self._layer, self._started, ended))
