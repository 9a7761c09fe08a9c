"""The GPU as a device of schedules: an engine is a stream.

The host hands work to streams and goes on at once; what waits is a stream, for an event of the
other. So one thread of Python serves both engines, and a whole step can be recorded as a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

import torch

from specbp.runtime.spans import Span
from specbp.schedules.cache import BatchSlots
from specbp.schedules.device import Device
from specbp.schedules.sharing import DividedWork
from specbp.schedules.verdict import decided

Result = TypeVar("Result")


class OnStream(Generic[Result]):
    """Work that a stream has been given, and an event behind it."""

    def __init__(self, work: Callable[[], Result]) -> None:
        """Give `work` to the current stream."""
        self._value = work()
        # The tensors it reads stay until the other stream has waited: not before may that use
        # their memory again.
        self._work: Callable[[], Result] | None = work
        self._event = torch.cuda.Event()
        self._event.record()

    def result(self) -> Result:
        """Let the current stream wait for the work, and return what it gave."""
        self._event.wait()
        self._work = None
        return self._value


class StreamEngine:
    """A stream beside the caller's; it begins where the caller's stream is when it is given work.

    Args:
        place: the GPU.
    """

    def __init__(self, place: torch.device) -> None:
        self._stream = torch.cuda.Stream(place)

    def submit(self, work: Callable[[], Result]) -> OnStream[Result]:
        """Give `work` to the stream."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            return OnStream(work)

    def close(self) -> None:
        """Wait until the stream has done its work."""
        self._stream.synchronize()


class StreamClock:
    """Moments on streams, taken only where asked for: each costs the GPU a microsecond.

    A moment is the number of an event. Recorded in a graph, the event happens again whenever the
    graph is replayed, and `read` tells when it last did.
    """

    def __init__(self) -> None:
        self._events: list[torch.cuda.Event] = []
        self._is_running = False

    def now(self) -> float:
        """Return the moment on the current stream; without meaning while the clock stands."""
        if not self._is_running:
            return -1.0
        event = torch.cuda.Event(enable_timing=True, external=True)
        event.record()
        self._events.append(event)
        return float(len(self._events) - 1)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the clock run for what is recorded inside."""
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    def read(self, spans: Sequence[Span]) -> list[Span]:
        """Return `spans` in s from where the first of them begins; the streams must be done."""
        first = self._events[int(min(span.started for span in spans))]

        def seconds(moment: float) -> float:
            return float(first.elapsed_time(self._events[int(moment)])) / 1e3

        return [
            span._replace(started=seconds(span.started), ended=seconds(span.ended))
            for span in spans
        ]


def _nothing() -> None:
    pass


def gpu(place: torch.device, clock: StreamClock) -> Device:
    """Return a GPU as a device of schedules.

    Args:
        place: which.
        clock: of its streams.
    """
    return Device(
        place=place,
        now=clock.now,
        open_engine=lambda threads: StreamEngine(place),
        open_work=partial(DividedWork, mark=partial(OnStream, _nothing)),
        open_batch_cache=lambda: BatchSlots(StreamEngine(place), place),
        decide=decided,
    )
