"""The loops of compute: what an address gains when each of them advances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from specbp.errors import UsageError
from specbp.overlay.core_state import Words, outer
from specbp.overlay.fields import signed, within

COMPUTE_LOOPS = 6
REDUCING_LOOPS = 3
"""Of the six loops at most three form one result; the others count results."""
MOST_LOOP = 4096


@dataclass(frozen=True)
class Loop:
    """One loop of compute; strides are what an address gains when the loop advances.

    Attributes:
        count: repeats, 1 to 4096.
        a: stride of address A.
        b: stride of address B.
        t: stride of T.
    """

    count: int
    a: int = 0
    b: int = 0
    t: int = 0

    def __post_init__(self) -> None:
        within("the count of a loop", self.count, 1, MOST_LOOP)


Loops: TypeAlias = tuple[Loop, ...]
"""Loops, innermost first."""

_NO_LOOP = Loop(1)


def jumps(loops: Loops) -> list[tuple[int, int, int]]:
    """Return what the addresses A and B, and T, gain when each loop advances.

    The loops below it start again then, so what they have gained is taken back.
    """
    steps, gained = [], (0, 0, 0)
    for loop in loops:
        strides = loop.a, loop.b, loop.t
        a, b, t = (stride - back for stride, back in zip(strides, gained, strict=True))
        # A loop that never advances has no jump: what it says need not fit.
        steps.append((a, b, t) if loop.count > 1 else (0, 0, 0))
        repeats = loop.count - 1
        gained = (
            gained[0] + repeats * loop.a,
            gained[1] + repeats * loop.b,
            gained[2] + repeats * loop.t,
        )
    return steps


def padded(loops: Loops, count: int) -> Loops:
    """Return `loops` and as many that never advance as make `count`."""
    return loops + (_NO_LOOP,) * (count - len(loops))


def loop_words(loops: Loops) -> list[int]:
    """Return words 4 to 15 of a descriptor with six loops."""
    words = []
    for loop, (a, b, t) in zip(loops, jumps(loops), strict=True):
        words += [loop.count - 1 | (a & 0xFFFFF) << 12, b & 0xFFFFF | (t & 0xFFF) << 20]
    return words


def check_loops(loops: Loops) -> None:
    """Refuse more loops than six, and jumps that do not fit their fields."""
    if len(loops) > COMPUTE_LOOPS:
        raise UsageError(f"{len(loops)} loops: a descriptor has {COMPUTE_LOOPS}")
    for a, b, t in jumps(loops):
        signed("the A jump of a loop", a, 20)
        signed("the B jump of a loop", b, 20)
        signed("the T jump of a loop", t, 12)


def iterations(loops: Loops) -> int:
    """Return how often the innermost of `loops` advances or starts."""
    return math.prod(loop.count for loop in loops)


def offsets(loops: Loops, side: str) -> Words:
    """Return what nested loops add to an address, in order.

    Args:
        loops: the loops.
        side: which address: "a", "b" or "t".
    """
    places: Words = np.zeros(1, np.int64)
    for loop in loops:
        stride: int = getattr(loop, side)
        places = outer(np.arange(loop.count) * stride, places).ravel()
    return places


def strides(loops: Loops, side: str) -> list[tuple[int, int]]:
    """Return count and stride of each loop, for the address `side`: "a" or "b"."""
    return [(loop.count, loop.a if side == "a" else loop.b) for loop in loops]


def loops_text(loops: Loops) -> str:
    """Return the loops that advance, innermost first, as count and strides."""
    shown = [f"{loop.count}({loop.a},{loop.b})" for loop in loops if loop.count > 1]
    return " ".join(shown) or "1"
