"""Engines: workers that compute on their own, each with its share of the processor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

import torch

Result = TypeVar("Result")
ResultOut = TypeVar("ResultOut", covariant=True)


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


class ThreadEngine:
    """A thread beside the caller's, with intra-op threads of its own.

    PyTorch's kernels release Python's global lock while they compute, so two threads overlap.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(
            max_workers=1,
            thread_name_prefix="engine",
            initializer=torch.set_num_threads,
            initargs=(threads,),
        )

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Queue `work` for the thread."""
        return self._executor.submit(work)

    def close(self) -> None:
        """Wait for the queue to run empty and end the thread."""
        self._executor.shutdown()


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
