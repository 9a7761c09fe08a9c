"""MAC: the lanes multiply scalars with vectors and sum up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from specbp.errors import UsageError
from specbp.overlay.core_state import PER_WORD, CoreState, ProgramError, Words, distinct, outer
from specbp.overlay.fields import unsigned, within
from specbp.overlay.instructions.access import Access, Extent, hull
from specbp.overlay.instructions.compute import (
    LARGEST_SHIFT,
    OVERHEAD,
    ComputeDescriptor,
    Streamed,
)
from specbp.overlay.instructions.descriptor import UNORDERED, Semaphores
from specbp.overlay.instructions.loops import (
    COMPUTE_LOOPS,
    REDUCING_LOOPS,
    Loops,
    check_loops,
    iterations,
    loop_words,
    loops_text,
    offsets,
    padded,
    strides,
)
from specbp.overlay.integers import INT16_MAX, INT32_MAX, requantised, wrapped
from specbp.overlay.register_map import Opcode

MOST_PRODUCTS = 1 << 22
"""With more products of int16 a float64 sum could lose bits."""
TAIL = 13
"""Cycles from the last iteration to the last result, beside the result's groups."""


class Result(IntEnum):
    """What a MAC makes of its sums."""

    INT16 = 0
    INT32 = 1
    SUMS = 2


class Addend(IntEnum):
    """What a MAC adds to its sums."""

    NONE = 0
    BIAS = 1
    PARTIAL = 2


@dataclass(frozen=True)
class Mac(ComputeDescriptor):
    """Multiply scalars with vectors and sum up.

    Attributes:
        scalars: A base, int16 elements of the scalar buffer.
        vectors: B base, rows of the vector buffer.
        reducing: up to three loops that form one result; A in elements, B in rows.
        results: up to three loops over results.
        result: first word of the output buffer, or first row of the partial buffer.
        kind: kind of the result.
        groups: fours of lanes whose results are wanted, 1 to a quarter of the lanes.
        shift: bits dropped, 0 to 47.
        addend: what is added to the sums.
        addend_base: first row of the bias or partial buffer.
        left: bits by which a bias is shifted left, 0 to 47.
        relu: negative results become 0; only with int16.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.MAC

    scalars: int
    vectors: int
    reducing: Loops
    results: Loops
    result: int
    kind: Result
    groups: int
    shift: int = 0
    addend: Addend = Addend.NONE
    addend_base: int = 0
    left: int = 0
    relu: bool = False
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        unsigned("scalars", self.scalars, 16)
        unsigned("vectors", self.vectors, 16)
        unsigned("result", self.result, 16)
        unsigned("addend_base", self.addend_base, 16)
        within("groups", self.groups, 1, 31)
        within("shift", self.shift, 0, LARGEST_SHIFT)
        within("left", self.left, 0, LARGEST_SHIFT)
        if self.relu and self.kind != Result.INT16:
            raise UsageError("ReLU needs a result of int16")
        check_loops(self.loops)

    @property
    def loops(self) -> Loops:
        """All six loops."""
        results = COMPUTE_LOOPS - REDUCING_LOOPS
        return padded(self.reducing, REDUCING_LOOPS) + padded(self.results, results)

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, result and loops."""
        return (
            Opcode.MAC | self.order.bits,
            self.scalars | self.vectors << 16,
            self.result | self.addend_base << 16,
            self.kind
            | self.addend << 2
            | self.relu << 4
            | self.groups << 5
            | self.shift << 10
            | self.left << 16,
            *loop_words(self.loops),
        )

    @property
    def text(self) -> str:
        """Operands, addend, rounding, result."""
        target = "partial" if self.kind == Result.SUMS else "output"
        addend = {
            Addend.NONE: "",
            Addend.BIAS: f" + bias[{self.addend_base}] << {self.left}",
            Addend.PARTIAL: f" + partial[{self.addend_base}]",
        }[self.addend]
        rounded = ""
        if self.kind != Result.SUMS:
            rounded = f" >> {self.shift} {self.kind.name.lower()}"
        relu = " ReLU" if self.relu else ""
        return (
            f"element {self.scalars} * vector[{self.vectors}] over {loops_text(self.reducing)}"
            f"{addend}{rounded}{relu} -> {target}[{self.result}] x {self.groups}, "
            f"{loops_text(self.results)}"
        )

    @property
    def work(self) -> int:
        """An iteration a cycle."""
        return self.products + OVERHEAD

    @property
    def products(self) -> int:
        """An iteration a cycle."""
        return iterations(self.loops)

    @property
    def duration(self) -> Streamed:
        """An iteration a cycle; a group of lanes leaves in a cycle, of int32 in two."""
        leaving = self.groups * (2 if self.kind == Result.INT32 else 1)
        reduced = iterations(self.loops[:REDUCING_LOOPS])
        results = iterations(self.loops[REDUCING_LOOPS:])
        return Streamed(reduced, results, leaving, TAIL)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield scalars, vectors, addend and result."""
        low, high = hull(self.scalars, 1, strides(self.loops, "a"))
        yield Access("scalar", low // PER_WORD, -(-high // PER_WORD), False)
        low, high = hull(self.vectors, 1, strides(self.loops, "b"))
        yield Access("vector", low, high, False)
        results = iterations(self.loops[REDUCING_LOOPS:]) * self.groups
        if self.addend == Addend.BIAS:
            first = self.addend_base
            yield Access("bias", 2 * first, 2 * (first + self.groups), False)
        elif self.addend == Addend.PARTIAL:
            yield Access("partial", self.addend_base, self.addend_base + results, False)
        space = "partial" if self.kind == Result.SUMS else "output"
        words = 2 * results if self.kind == Result.INT32 else results
        yield Access(space, self.result, self.result + words, True)

    def execute(self, core: CoreState) -> None:
        """Multiply and sum in float64, which holds these sums exactly; then add and round."""
        if self.groups > core.groups:
            raise ProgramError(f"{self.groups} groups of lanes of {core.groups}")
        reducing, counting = self.loops[:REDUCING_LOOPS], self.loops[REDUCING_LOOPS:]
        a = self.scalars + outer(offsets(counting, "a"), offsets(reducing, "a"))
        b = self.vectors + outer(offsets(counting, "b"), offsets(reducing, "b"))
        core.touch("scalar", distinct(a // PER_WORD, core.sizes["scalar"], "scalar"))
        rows = distinct(b, core.sizes["vector"] // core.groups, "vector")
        core.touch("vector", outer(rows * core.groups, np.arange(self.groups)).ravel())
        scalars = core.elements("scalar")
        vectors = core.elements("vector").reshape(-1, core.groups * PER_WORD)
        vectors = vectors[:, : self.groups * PER_WORD]
        if a.shape[1] > MOST_PRODUCTS:
            raise ProgramError(f"{a.shape[1]} products of a result are more than this can sum up")
        if not np.ptp(offsets(counting, "b")):
            # All results use the same rows: one product of matrices, exact in float64.
            sums = scalars[a].astype(np.float64) @ vectors[b[0]].astype(np.float64)
        else:
            sums = np.stack(
                [
                    scalars[of_a].astype(np.float64) @ vectors[of_b].astype(np.float64)
                    for of_a, of_b in zip(a, b, strict=True)
                ]
            )
        self._finish(core, sums.astype(np.int64).reshape(-1, PER_WORD))

    def _finish(self, core: CoreState, sums: NDArray[np.int64]) -> None:
        """Add the addend to `sums`, int64 [results * groups, 4], and write the result."""
        numbers: Words = np.arange(len(sums), dtype=np.int64)
        if self.addend == Addend.BIAS:
            bias_rows = self.addend_base + np.arange(self.groups)
            pairs = core.read("bias", outer(2 * bias_rows, np.arange(2)).ravel())
            biases = pairs.reshape(-1).view(np.int32).astype(np.int64) << self.left
            sums = sums + np.tile(biases.reshape(-1, PER_WORD), (len(sums) // self.groups, 1))
        elif self.addend == Addend.PARTIAL:
            sums = sums + core.read_sums(numbers + self.addend_base)
        sums = wrapped(sums)
        if self.kind == Result.SUMS:
            core.write_sums(numbers + self.result, sums)
        elif self.kind == Result.INT32:
            halves = requantised(sums, self.shift, INT32_MAX).astype(np.int32).view(np.int16)
            words = np.arange(2 * len(sums)) + self.result
            core.write("output", words, halves.reshape(-1, PER_WORD))
        else:
            rounded = requantised(sums, self.shift, INT16_MAX)
            if self.relu:
                rounded = rounded.clip(min=0)
            core.write("output", self.result + numbers, rounded.astype(np.int16))
