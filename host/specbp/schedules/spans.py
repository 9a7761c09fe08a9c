"""Spans: which engine did what, and when; phase times and timelines are made of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def span(self, engine: int, phase: Phase, layer: str = "") -> Iterator[None]:
        """Record what is done inside."""
        started = time.perf_counter()
        yield
        self.spans.append(Span(engine, phase, layer, started, time.perf_counter()))
