"""How long a program takes, to share it out: the busiest unit's cycles in each pass, roughly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

from specbp.overlay.compiler.emitter import SkipEnd, Tagged
from specbp.overlay.compiler.shapes import PER_WORD
from specbp.overlay.isa import (
    ComputeUnit,
    Descriptor,
    Fill,
    Load,
    LoadTransposed,
    LoadUnit,
    Mac,
    Mask,
    Maximum,
    Move,
    Select,
    Sgd,
    Softmax,
    Store,
    Total,
)

SOFTMAX_CLASS, SOFTMAX_SAMPLE = 19, 22
SGD_FOUR = 6
OVERHEAD = 15
"""Cycles from a descriptor of the compute unit to its next."""
MAC_OVERHEAD = 30
"""Cycles of a MAC beside its products, where passes choose how to be cut."""
SHORTEST_BURST = 4
"""Cycles that a run of words takes at least, from the latency of memory and its bursts at once."""


def work_of(program: Iterable[Tagged | SkipEnd]) -> int:
    """Return about how many cycles `program` takes, were nobody else at the memory."""
    tagged = (one for one in program if isinstance(one, Tagged))
    passes = groupby(tagged, lambda one: one.tag.of_pass)
    return sum(_busiest([one.descriptor for one in some]) for _, some in passes)


def _busiest(descriptors: list[Descriptor]) -> int:
    computes = sum(_computes(one) for one in descriptors if isinstance(one, ComputeUnit))
    loads = sum(_moves(one) for one in descriptors if isinstance(one, LoadUnit))
    stores = sum(_moves(one) for one in descriptors if isinstance(one, Store))
    return max(computes, loads, stores)


def _computes(descriptor: Descriptor) -> int:
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


def _moves(descriptor: Descriptor) -> int:
    match descriptor:
        case Fill(run=run, moves=moves):
            return run * _repeats(moves)
        case Load():
            run, moves = descriptor.requests
            return max(run, SHORTEST_BURST) * _repeats(moves)
        case Store(run=run, moves=moves):
            return max(run, SHORTEST_BURST) * _repeats(moves)
        case LoadTransposed(run=run, moves=moves):
            return PER_WORD * max(run, SHORTEST_BURST) * _repeats(moves)
        case _:
            return 0


def _repeats(moves: Iterable[Move]) -> int:
    return math.prod(move.count for move in moves)
