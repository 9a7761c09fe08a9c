"""MAXIMUM, TOTAL, MASK and SELECT: pooling and ReLU, forward and backward, element by element."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from specbp.errors import UsageError
from specbp.overlay.core_state import PER_WORD, CoreState, distinct, outer
from specbp.overlay.fields import signed, unsigned, within
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
from specbp.overlay.integers import INT16_MAX, requantised
from specbp.overlay.register_map import Opcode

TAIL = 11
"""Cycles from the last iteration to the last result, beside those in which it leaves."""


class ElementWise(ComputeDescriptor):
    """What the element unit executes on words of the scalar buffer."""

    a: int
    results: Loops
    result: int
    reads: ClassVar[int]
    """Words read in an iteration, a cycle each."""

    @property
    @abstractmethod
    def inner(self) -> Loops:
        """The loops that form one result."""

    @property
    def loops(self) -> Loops:
        """All six loops."""
        return padded(self.inner + self.results, COMPUTE_LOOPS)

    @property
    def work(self) -> int:
        """A word a cycle."""
        return self.reads * iterations(self.loops) + OVERHEAD

    @property
    def duration(self) -> Streamed:
        """A word a cycle; a result leaves in one."""
        return self._duration(leaving=1)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield operands and results."""
        yield Access("scalar", *hull(self.a, 1, strides(self.loops, "a")), False)
        yield Access("output", self.result, self.result + self._count, True)

    @property
    def _count(self) -> int:
        return iterations(self.loops[len(self.inner) :])

    def _duration(self, leaving: int) -> Streamed:
        reduced = iterations(self.loops[: len(self.inner)])
        return Streamed(self.reads * reduced, self._count, leaving, TAIL)

    def _offsets(self, side: str) -> NDArray[np.int64]:
        """Return what the loops add to an address, int64 [results, reduced]."""
        depth = len(self.inner)
        return outer(offsets(self.loops[depth:], side), offsets(self.loops[:depth], side))

    def _operand(self, core: CoreState, base: int, side: str) -> NDArray[np.int64]:
        """Return an operand, int64 [results, reduced, 4]."""
        words = base + self._offsets(side)
        core.touch("scalar", distinct(words, core.sizes["scalar"], "scalar"))
        elements = core.elements("scalar").reshape(-1, PER_WORD)
        operand: NDArray[np.int64] = elements[words].astype(np.int64)
        return operand

    def _write(self, core: CoreState, values: NDArray[np.int64]) -> None:
        words = self.result + np.arange(len(values))
        core.write("output", words, values.astype(np.int16))


@dataclass(frozen=True)
class Maximum(ElementWise):
    """The largest element over the reducing loops, element by element of words.

    Attributes:
        a: A base, words of the scalar buffer.
        reducing: up to three loops that form one result; strides of A in words.
        results: the other loops.
        result: first word of the output buffer.
        index: address of the position of the largest value; None where it is not wanted.
        t: T at the start.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.MAXIMUM
    reads: ClassVar = 1

    a: int
    reducing: Loops
    results: Loops
    result: int
    index: int | None = None
    t: int = 0
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        _check(self.a, 0, self.result, self.t, self.reducing, self.results)
        unsigned("index", self.index or 0, 16)

    @property
    def inner(self) -> Loops:
        """The reducing loops."""
        return self.reducing

    @property
    def words(self) -> tuple[int, ...]:
        """Operand, results, T and loops."""
        return (
            Opcode.MAXIMUM | self.order.bits,
            self.a,
            self.result | (self.index or 0) << 16,
            len(self.reducing) | (self.index is not None) << 2 | (self.t & 0xFFF) << 16,
            *loop_words(self.loops),
        )

    @property
    def text(self) -> str:
        """Operand and results."""
        index = "" if self.index is None else f", index output[{self.index}]"
        return f"scalar[{self.a}] over {loops_text(self.reducing)} -> {_results(self)}{index}"

    @property
    def duration(self) -> Streamed:
        """A word a cycle; value and position leave one after the other."""
        return self._duration(leaving=1 if self.index is None else 2)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield operand, values and positions."""
        yield from super().accesses(groups, extent)
        if self.index is not None:
            yield Access("output", self.index, self.index + self._count, True)

    def execute(self, core: CoreState) -> None:
        """Write positions, where they are wanted, and values."""
        a = self._operand(core, self.a, "a")
        if self.index is not None:
            t = np.broadcast_to((self.t + self._offsets("t"))[:, :, None], a.shape)
            where = np.take_along_axis(t, a.argmax(1)[:, None], axis=1)
            index = where[:, 0].astype(np.int16)
            core.write("output", self.index + np.arange(len(index)), index)
        self._write(core, a.max(1))


@dataclass(frozen=True)
class Total(ElementWise):
    """The rounded sum over the reducing loops, element by element of words.

    Attributes:
        a: A base, words of the scalar buffer.
        reducing: up to three loops that form one result; strides of A in words.
        results: the other loops.
        result: first word of the output buffer.
        shift: bits dropped from the sum, 0 to 47.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.TOTAL
    reads: ClassVar = 1

    a: int
    reducing: Loops
    results: Loops
    result: int
    shift: int
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        _check(self.a, 0, self.result, 0, self.reducing, self.results)
        within("shift", self.shift, 0, LARGEST_SHIFT)

    @property
    def inner(self) -> Loops:
        """The reducing loops."""
        return self.reducing

    @property
    def words(self) -> tuple[int, ...]:
        """Operand, result, shift and loops."""
        return (
            Opcode.TOTAL | self.order.bits,
            self.a,
            self.result,
            len(self.reducing) | self.shift << 10,
            *loop_words(self.loops),
        )

    @property
    def text(self) -> str:
        """Operand, shift and result."""
        over = loops_text(self.reducing)
        return f"scalar[{self.a}] over {over} >> {self.shift} -> {_results(self)}"

    def execute(self, core: CoreState) -> None:
        """Sum up and round."""
        a = self._operand(core, self.a, "a")
        self._write(core, requantised(a.sum(1), self.shift, INT16_MAX))


class TwoOperands(ElementWise):
    """What reads two words in an iteration."""

    b: int
    reads: ClassVar = 2

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield both operands and the results."""
        first, *rest = super().accesses(groups, extent)
        yield first
        yield Access("scalar", *hull(self.b, 1, strides(self.loops, "b")), False)
        yield from rest


@dataclass(frozen=True)
class Mask(TwoOperands):
    """B where A is positive, else 0, element by element of words; ReLU where A is B.

    Attributes:
        a: A base, words of the scalar buffer.
        b: B base, words of the scalar buffer.
        results: the loops; strides in words.
        result: first word of the output buffer.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.MASK

    a: int
    b: int
    results: Loops
    result: int
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        _check(self.a, self.b, self.result, 0, (), self.results)

    @property
    def inner(self) -> Loops:
        """None: an iteration is a result."""
        return ()

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, result and loops."""
        return (
            Opcode.MASK | self.order.bits,
            self.a | self.b << 16,
            self.result,
            0,
            *loop_words(self.loops),
        )

    @property
    def text(self) -> str:
        """Operands and result."""
        return f"scalar[{self.b}] where scalar[{self.a}] -> {_results(self)}"

    def execute(self, core: CoreState) -> None:
        """Keep B where A is positive."""
        a = self._operand(core, self.a, "a")
        self._write(core, np.where(a > 0, self._operand(core, self.b, "b"), 0)[:, 0])


@dataclass(frozen=True)
class Select(TwoOperands):
    """The saturated sum of those A whose B equals T, element by element of words.

    Attributes:
        a: A base, words of the scalar buffer.
        b: B base, words of the scalar buffer.
        reducing: up to three loops that form one result; strides of A and B in words.
        results: the other loops.
        result: first word of the output buffer.
        t: T at the start.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.SELECT

    a: int
    b: int
    reducing: Loops
    results: Loops
    result: int
    t: int
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        _check(self.a, self.b, self.result, self.t, self.reducing, self.results)

    @property
    def inner(self) -> Loops:
        """The reducing loops."""
        return self.reducing

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, result, T and loops."""
        return (
            Opcode.SELECT | self.order.bits,
            self.a | self.b << 16,
            self.result,
            len(self.reducing) | (self.t & 0xFFF) << 16,
            *loop_words(self.loops),
        )

    @property
    def text(self) -> str:
        """Operands, T and result."""
        chosen = f"scalar[{self.a}] where scalar[{self.b}] = {self.t}"
        return f"{chosen} over {loops_text(self.reducing)} -> {_results(self)}"

    def execute(self, core: CoreState) -> None:
        """Sum up the chosen elements."""
        a = self._operand(core, self.a, "a")
        t = (self.t + self._offsets("t"))[:, :, None]
        chosen = np.where(self._operand(core, self.b, "b") == t, a, 0)
        self._write(core, requantised(chosen.sum(1), 0, INT16_MAX))


def _results(descriptor: ElementWise) -> str:
    return f"output[{descriptor.result}], {loops_text(descriptor.results)}"


def _check(a: int, b: int, result: int, t: int, reducing: Loops, results: Loops) -> None:
    unsigned("a", a, 16)
    unsigned("b", b, 16)
    unsigned("result", result, 16)
    signed("t", t, 12)
    if len(reducing) > REDUCING_LOOPS:
        count = f"{len(reducing)} reducing loops"
        raise UsageError(f"{count}: a descriptor has at most {REDUCING_LOOPS}")
    check_loops(padded(reducing + results, COMPUTE_LOOPS))
