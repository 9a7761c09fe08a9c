"""A compiled program of the overlay as words that an executor runs, step after step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specbp.overlay.compiler import Compiled
from specbp.overlay.compiler.memory_map import Name
from specbp.overlay.instructions import Descriptor, Factors, Gate, Sgd, encode
from specbp.overlay.instructions.gate import LIMIT_WORD
from specbp.overlay.instructions.sgd import FACTOR_WORDS
from specbp.overlay.tensors import given_names, shown_names


class Program:
    """A compiled program, whose factors change from step to step.

    Args:
        compiled: the program.

    Attributes:
        descriptors: descriptors of each core, as they are now.
        words: descriptors as words, uint32 [descriptors, 16].
        given: where in memory lies what the host writes before each run, as (offset, bytes).
        shown: array that the overlay reads after each run, in the form of `given`.
        products: how many cycles multiply, of all cores.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.descriptors: list[list[Descriptor]] = [
            [one.descriptor for one in program] for program in compiled.programs
        ]
        self.words = [encode(program) for program in self.descriptors]
        self.given = _ranges(compiled, given_names(compiled))
        self.shown = _ranges(compiled, shown_names(compiled))
        self.products = sum(map(products_of, self.descriptors))

    def set_factors(self, core: int, position: int, factors: Factors) -> None:
        """Put `factors` into the SGD descriptor at `position` of a core's program."""
        descriptor = self.descriptors[core][position]
        assert isinstance(descriptor, Sgd)
        if descriptor.factors != factors:
            self.descriptors[core][position] = replace(descriptor, factors=factors)
            self.words[core][position, FACTOR_WORDS] = factors.words

    def set_limit(self, core: int, position: int, limit: int) -> None:
        """Put `limit` into the GATE descriptor at `position` of a core's program."""
        descriptor = self.descriptors[core][position]
        assert isinstance(descriptor, Gate)
        self.descriptors[core][position] = replace(descriptor, limit=limit)
        self.words[core][position, LIMIT_WORD] = limit


def memory_needed(programs: Sequence[Compiled]) -> int:
    """Return the bytes for `programs` that share their tensors, and for one of them as words."""
    tensors = max(one.memory.size for one in programs)
    return tensors + max(sum(64 * len(program) for program in one.programs) for one in programs)


def products_of(descriptors: Sequence[Descriptor]) -> int:
    """Return the cycles in which `descriptors` multiply."""
    return sum(descriptor.products for descriptor in descriptors)


def _ranges(compiled: Compiled, names: Sequence[Name]) -> list[tuple[int, int]]:
    places = (compiled.memory.places[name] for name in names)
    return [(place.address - compiled.memory.base, place.size) for place in places]
