"""SGD: one step of stochastic gradient descent of some weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from specbp.overlay.core_state import PER_WORD, CoreState
from specbp.overlay.fields import unsigned, within
from specbp.overlay.instructions.access import Access, Extent
from specbp.overlay.instructions.compute import (
    LARGEST_SHIFT,
    OVERHEAD,
    ComputeDescriptor,
    Exclusive,
)
from specbp.overlay.instructions.descriptor import UNORDERED, Semaphores
from specbp.overlay.instructions.strides import MOST_COUNT
from specbp.overlay.integers import INT16_MAX, INT32_MAX, Integers, requantised
from specbp.overlay.register_map import Opcode

FACTOR_WORDS = slice(4, 6)
"""The words of the descriptor where a host writes `Factors.words` for the next step."""
FOUR_CYCLES = 6
"""Cycles for four elements: so many words of the scalar buffer are read for them."""
END_CYCLES = 22


@dataclass(frozen=True)
class Factors:
    """The integers of one SGD step for one tensor, see ARITHMETIC.md, section 5.

    Attributes:
        momentum: momentum in steps of 2^-15; 15 bits, as all but the shifts.
        rate: R of ARITHMETIC.md.
        rate_shift: rho of ARITHMETIC.md, 0 to 47.
        decay: D of ARITHMETIC.md.
        decay_shift: delta of ARITHMETIC.md, 0 to 47.
    """

    momentum: int = 0
    rate: int = 0
    rate_shift: int = 0
    decay: int = 0
    decay_shift: int = 0

    def __post_init__(self) -> None:
        for name in ("momentum", "rate", "decay"):
            unsigned(name, getattr(self, name), 15)
        within("rate_shift", self.rate_shift, 0, LARGEST_SHIFT)
        within("decay_shift", self.decay_shift, 0, LARGEST_SHIFT)

    @property
    def words(self) -> tuple[int, int]:
        """Words 4 and 5 of SGD."""
        return (
            self.momentum | self.rate << 16,
            self.decay | self.rate_shift << 16 | self.decay_shift << 22,
        )


@dataclass(frozen=True)
class Sgd(ComputeDescriptor):
    """One SGD step of some weights.

    Attributes:
        masters: first word in the scalar buffer of the int32 weights, 2 * fours words.
        momenta: first word of the momentum buffers, int32, as many words.
        gradients: first word of the gradients, int32, as many words.
        result: first word in the output buffer, for new masters, new momenta, int16 weights.
        fours: fours of elements.
        factors: factors of this step; a host changes them from step to step.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.SGD

    masters: int
    momenta: int
    gradients: int
    result: int
    fours: int
    factors: Factors = Factors()
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        for name in ("masters", "momenta", "gradients", "result"):
            unsigned(name, getattr(self, name), 16)
        within("fours", self.fours, 1, MOST_COUNT)

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, result, size and factors."""
        return (
            Opcode.SGD | self.order.bits,
            self.masters | self.momenta << 16,
            self.result | self.gradients << 16,
            self.fours,
            *self.factors.words,
        )

    @property
    def text(self) -> str:
        """Operands and result."""
        return (
            f"{self.fours} x 4 of scalar[{self.masters}], [{self.momenta}], [{self.gradients}] -> "
            f"output[{self.result}]"
        )

    @property
    def work(self) -> int:
        """The cycles of its elements."""
        return FOUR_CYCLES * self.fours + OVERHEAD

    @property
    def duration(self) -> Exclusive:
        """The cycles of its elements, and of the end."""
        return Exclusive(FOUR_CYCLES * self.fours + END_CYCLES)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield operands and results."""
        for base in (self.masters, self.momenta, self.gradients):
            yield Access("scalar", base, base + 2 * self.fours, False)
        yield Access("output", self.result, self.result + 5 * self.fours, True)

    def execute(self, core: CoreState) -> None:
        """Write new masters, new momentum buffers and int16 weights."""
        masters, momenta, gradients = (
            core.read("scalar", base + np.arange(2 * self.fours))
            .reshape(-1)
            .view(np.int32)
            .astype(np.int64)
            for base in (self.masters, self.momenta, self.gradients)
        )
        masters, momenta = sgd_step(masters, momenta, gradients, self.factors)
        pairs = np.stack([masters, momenta]).astype(np.int32).reshape(-1).view(np.int16)
        weights = requantised(masters, 16, INT16_MAX).astype(np.int16)
        everything = np.concatenate([pairs, weights]).reshape(-1, PER_WORD)
        core.write("output", self.result + np.arange(len(everything)), everything)


def sgd_step(
    masters: Integers, momenta: Integers, gradients: Integers, factors: Factors
) -> tuple[Integers, Integers]:
    """Return new masters and momentum buffers; all are int32 values, the gradients rounded."""
    momenta = (
        requantised(factors.momentum * momenta, 15, INT32_MAX)
        + gradients
        + requantised(factors.decay * masters, factors.decay_shift, INT32_MAX)
    ).clip(-INT32_MAX, INT32_MAX)
    step = requantised(factors.rate * momenta, factors.rate_shift, INT32_MAX)
    return (masters - step).clip(-INT32_MAX, INT32_MAX), momenta
