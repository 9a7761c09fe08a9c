"""Engines: what does work in the order in which it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

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
