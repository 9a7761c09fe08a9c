"""What the descriptors of the compute unit have in common: how long the unit is at work."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from specbp.overlay.instructions.descriptor import Descriptor, Unit

LARGEST_SHIFT = 47
OVERHEAD = 15
"""Cycles from a descriptor of the compute unit to its next, roughly."""


@dataclass(frozen=True)
class Streamed:
    """Results leave one after the other while the next ones grow; the next descriptor may begin.

    Attributes:
        each: cycles in which one result grows.
        results: number of results.
        leaving: cycles in which one result leaves.
        tail: cycles from the last iteration to the last result, beside those in which it leaves.
    """

    each: int
    results: int
    leaving: int
    tail: int


@dataclass(frozen=True)
class Exclusive:
    """The unit is taken from beginning to end, and what came before has left it.

    Attributes:
        cycles: how long.
    """

    cycles: int


class ComputeDescriptor(Descriptor):
    """What the compute unit executes: it reads buffers and writes the output buffer."""

    unit = Unit.COMPUTE

    @property
    @abstractmethod
    def duration(self) -> Streamed | Exclusive:
        """How long the unit is at work, once it has begun."""
