"""How long a program takes, to share it out: the busiest unit's cycles in each pass, roughly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from specbp.overlay.compiler.emitter import SkipEnd, Tagged
from specbp.overlay.instructions import Descriptor, Unit

MAC_OVERHEAD = 30
"""Cycles of a MAC beside its products, where passes choose how to be cut."""


def work_of(program: Iterable[Tagged | SkipEnd]) -> int:
    """Return about how many cycles `program` takes, were nobody else at the memory."""
    tagged = (one for one in program if isinstance(one, Tagged))
    passes = groupby(tagged, lambda one: one.tag.of_pass)
    return sum(_busiest([one.descriptor for one in some]) for _, some in passes)


def _busiest(descriptors: Sequence[Descriptor]) -> int:
    work = dict.fromkeys(Unit, 0)
    for descriptor in descriptors:
        if descriptor.unit is not None:
            work[descriptor.unit] += descriptor.work
    return max(work.values())
