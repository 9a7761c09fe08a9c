"""Engines: workers that compute on their own, each with its share of the processor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

import torch

Result = TypeVar("Result")
ResultOut = TypeVar("ResultOut", covariant=True)
Recording = AbstractContextManager[None]


class Pending(Protocol[ResultOut]):
    """Work given to an engine."""

    def result(self) -> ResultOut:
        """Wait until it is done and return what it gave; an error in the work is raised here."""
        ...


class Engine(Protocol):
    """Does work in the order in which it is given."""

    def submit(self, work: Callable[[], Result]) -> Pending[Result]:
        """Take `work` and return at once where the engine runs beside the caller."""
        ...

    def close(self) -> None:
        """Finish and give the worker back."""
        ...


class Handed(Generic[Result]):
    """Work in the hands of a thread: one lock, where a future has a condition and three."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._value: Result | None = None
        self._error: BaseException | None = None
        self._at_work = threading.Lock()
        self._at_work.acquire()

    def do(self) -> None:
        """Do the work; called once, by the thread."""
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        del self._work  # and with it the tensors it holds
        self._at_work.release()

    def result(self) -> Result:
        """Wait until it is done and return what it gave; an error in the work is raised here."""
        with self._at_work:
            pass
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


class ThreadEngine:
    """A thread beside the caller's, with intra-op threads of its own.

    PyTorch's kernels release Python's global lock while they compute, so two threads overlap.
    """

    def __init__(self, threads: int) -> None:
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._queue.put(partial(torch.set_num_threads, threads))
        # Asked for at once: PyTorch settles a thread's number when it is first needed, from what
        # any thread has set last.
        self._queue.put(torch.get_num_threads)
        self._thread = threading.Thread(target=self._serve, name="engine 1", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Result]) -> Handed[Result]:
        """Queue `work` for the thread."""
        handed = Handed(work)
        self._queue.put(handed.do)
        return handed

    def close(self) -> None:
        """Wait for the queue to run empty and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            work()


class Done(Generic[Result]):
    """Work that is already done."""

    def __init__(self, value: Result) -> None:
        self._value = value

    def result(self) -> Result:
        """Return what the work gave."""
        return self._value


class SameEngine:
    """The caller's own engine: work is done where it is submitted, nothing overlaps."""

    def submit(self, work: Callable[[], Result]) -> Done[Result]:
        """Do `work` now."""
        return Done(work())

    def close(self) -> None:
        """Do nothing: there is no worker."""


def work_through(
    engine: Engine, tasks: Sequence[Callable[[], object]], record: Callable[[int], Recording]
) -> None:
    """Do `tasks`, which do not depend on one another, on the caller's engine and on `engine`.

    Whoever is free takes the next one, so results may not depend on who does which.

    Args:
        engine: engine 1.
        tasks: each is done once.
        record: gives the context in which the engine of that number does its tasks.
    """
    left = deque(tasks)

    def work(number: int) -> None:
        with record(number):
            while True:
                try:
                    task = left.popleft()
                except IndexError:
                    return
                task()

    second = engine.submit(partial(work, 1))
    work(0)
    second.result()
