"""How much a program computes, to share it out: cycles of the compute unit, roughly."""

from __future__ import annotations

import math
from collections.abc import Iterable

from specbp.overlay.compiler.emitter import SkipEnd, Tagged
from specbp.overlay.isa import Descriptor, Mac, Mask, Maximum, Select, Sgd, Softmax, Total

SOFTMAX_CLASS, SOFTMAX_SAMPLE = 19, 22
SGD_FOUR = 6
OVERHEAD = 15
"""Cycles from a descriptor to the next."""


def work_of(program: Iterable[Tagged | SkipEnd]) -> int:
    """Return the cycles of the compute unit of `program`, as if it never waited."""
    return sum(_cycles(one.descriptor) for one in program if isinstance(one, Tagged))


def _cycles(descriptor: Descriptor) -> int:
    match descriptor:
        case Mac() | Maximum() | Total():
            return math.prod(loop.count for loop in descriptor.loops) + OVERHEAD
        case Mask() | Select():
            return 2 * math.prod(loop.count for loop in descriptor.loops) + OVERHEAD
        case Softmax():
            return descriptor.samples * (SOFTMAX_SAMPLE + SOFTMAX_CLASS * descriptor.classes)
        case Sgd():
            return SGD_FOUR * descriptor.fours + OVERHEAD
        case _:
            return 0
