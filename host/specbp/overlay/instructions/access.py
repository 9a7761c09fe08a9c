"""Which words of buffers and memory a descriptor touches, as ranges that hold them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from specbp.overlay.core_state import WORD_BYTES

Extent = Callable[[int], tuple[int, int]]
"""First byte, and one past the last, of the tensor in which an address lies."""


@dataclass(frozen=True)
class Access:
    """A range of words of one space.

    Attributes:
        space: "memory" or the name of a buffer; rows for the partial and the vector buffer.
        low: first word.
        high: one past the last word.
        write: whether it is written.
    """

    space: str
    low: int
    high: int
    write: bool


def hull(base: int, run: int, strides: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the least range that holds all places of nested strides.

    Args:
        base: the first place.
        run: consecutive places at each step.
        strides: count and stride of each loop.
    """
    low, high = base, base + run
    for count, stride in strides:
        reach = (count - 1) * stride
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high


def memory(
    address: int, run: int, strides: Iterable[tuple[int, int]], write: bool = False
) -> Access:
    """Return the access of a run of words in memory.

    Args:
        address: address of the first word.
        run: consecutive words.
        strides: count and stride in bytes of what repeats the run.
        write: whether it is written.
    """
    low, high = hull(address, run * WORD_BYTES, strides)
    return Access("memory", low // WORD_BYTES, high // WORD_BYTES, write)
