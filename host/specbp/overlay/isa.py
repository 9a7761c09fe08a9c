"""Descriptors of the overlay: one class for each, and their 64 bytes.

`overlays/specbp/ISA.md` says what they do. A descriptor is 16 words of 32 bits, little endian;
the opcodes come from `specbp.rdl`. What does not fit its field is refused where it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from specbp.errors import UsageError
from specbp.overlay.fields import aligned, signed, unsigned, within
from specbp.overlay.register_map import Opcode

DESCRIPTOR_WORDS = 16
DESCRIPTOR_BYTES = 4 * DESCRIPTOR_WORDS
MAX_COPY_BYTES = 1 << 26
WORD_BYTES = 8
"""A *word* of the buffers: four int16 or two int32."""
SEMAPHORES = 15
"""They are numbered from 1; each counts to 255. A core has so many, and all cores share as many."""
TABLE_ENTRIES = 1024
"""Of the index table."""
MOST_INDEXED_STRIDE = (1 << 24) - 1
MOST_GATED = 1023
"""Samples of a GATE."""
MOST_GATED_WORDS = 128
MOST_LIMIT = (1 << 18) - 1
"""Of a GATE; accepts whatever is valid."""
LABELS = 512
"""Of the label table."""
MOST_COUNT = 0xFFFF
"""Of words in a run, and of repeats of a move."""
MOST_TRANSPOSED_RUN = 16
COMPUTE_LOOPS = 6
MAC_REDUCING = 3
"""Of the six loops of a MAC these form a result, the other three count results."""
MOST_LOOP = 4096
LARGEST_SHIFT = 47
LEAST_CLASSES, MOST_CLASSES = 2, 511


class Buffer(IntEnum):
    """The buffers that LOAD and FILL write."""

    SCALAR = 0
    VECTOR = 1
    BIAS = 2


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
class Semaphores:
    """How a descriptor is ordered against those of other units.

    Attributes:
        waits: up to two semaphores, from each of which it takes one before it starts.
        signals: up to two, to each of which it adds one when it is complete.
        shared_wait: a semaphore that all cores share, likewise; 0 is none.
        shared_signal: shared semaphore that is given at the end.
    """

    waits: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    shared_wait: int = 0
    shared_signal: int = 0

    def __post_init__(self) -> None:
        for name, numbers in (("waits", self.waits), ("signals", self.signals)):
            if len(numbers) > 2 or len(set(numbers)) != len(numbers):
                raise UsageError(f"{name} = {numbers}: at most two different semaphores")
            for number in numbers:
                within(f"a semaphore of {name}", number, 1, SEMAPHORES)
        within("the shared wait", self.shared_wait, 0, SEMAPHORES)
        within("the shared signal", self.shared_signal, 0, SEMAPHORES)

    @property
    def bits(self) -> int:
        """Their bits of word 0."""
        numbers = [*self.waits, 0, 0][:2] + [*self.signals, 0, 0][:2]
        numbers += [self.shared_wait, self.shared_signal]
        return sum(number << 8 + 4 * place for place, number in enumerate(numbers))


@dataclass(frozen=True)
class Move:
    """One loop of a data move.

    Attributes:
        count: repeats, 1 to 65535.
        memory: stride in memory, signed bytes, a multiple of 8.
        buffer: stride in the buffer, signed words.
        table: where given, repeat i lies at the entry table + i of the index table, times the
            stride in memory, in place of i times it. Only of the outermost move.
    """

    count: int
    memory: int
    buffer: int
    table: int | None = None

    def __post_init__(self) -> None:
        within("the count of a move", self.count, 1, MOST_COUNT)
        if self.table is not None:
            within("the table entry of a move", self.table, 0, TABLE_ENTRIES - self.count)
            within("the memory stride of an indexed move", self.memory, 0, MOST_INDEXED_STRIDE)
        signed("the memory stride of a move", self.memory, 32)
        aligned("the memory stride of a move", self.memory)
        signed("the buffer stride of a move", self.buffer, 16)


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


Moves: TypeAlias = tuple[Move, ...]
"""Up to three, innermost first."""
Loops: TypeAlias = tuple[Loop, ...]
"""Innermost first."""

_UNORDERED = Semaphores()
_NO_MOVE = Move(1, 0, 0)
_NO_LOOP = Loop(1)


@dataclass(frozen=True)
class Nop:
    """Wait until all units are idle, then for some cycles: a barrier.

    Attributes:
        cycles: how long, 0 to 2^32 - 1.
    """

    cycles: int = 0

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return Opcode.NOP, self.cycles


@dataclass(frozen=True)
class Copy:
    """Copy memory; source and destination are equal or do not overlap.

    Attributes:
        source: physical address, a multiple of 8.
        destination: physical address, a multiple of 8.
        size: bytes, 1 to 2^26; exactly these are written.
    """

    source: int
    destination: int
    size: int

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return Opcode.COPY, self.source, self.destination, self.size


@dataclass(frozen=True)
class End:
    """End of the program."""

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (Opcode.END,)


@dataclass(frozen=True)
class Skip:
    """Wait until all units are idle, then skip some descriptors or not.

    Attributes:
        count: descriptors that follow, 1 to 65535; END is not among them.
        entry: first entry of the index table.
        limit: they are skipped where the entry is at most this, 0 to 65535.
        above: they are skipped where the entry is above the limit instead.
    """

    count: int
    entry: int
    limit: int
    above: bool = False

    def __post_init__(self) -> None:
        within("count", self.count, 1, MOST_COUNT)
        within("entry", self.entry, 0, TABLE_ENTRIES - 1)
        unsigned("limit", self.limit, 16)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return Opcode.SKIP, self.count, self.entry | self.above << 15 | self.limit << 16


@dataclass(frozen=True)
class Load:
    """Move memory into a buffer.

    Attributes:
        address: physical, a multiple of 8.
        buffer: where to.
        base: first word in the buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run.
        order: waits and signals.
    """

    address: int
    buffer: Buffer
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _address(self.address)
        within("run", self.run, 1, MOST_COUNT)
        _move_fields(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        head = Opcode.LOAD | self.order.bits
        moving = _moving(self.base, self.buffer, self.run, self.moves)
        run, _ = self.requests
        return head, self.address, *moving, run if run > self.run else 0

    @property
    def requests(self) -> tuple[int, Moves]:
        """Run and moves as they are asked of memory: runs without a gap between them are joined."""
        if self.moves and self.moves[0].table is None:
            first, *others = self.moves
            joined = self.run * first.count
            if first.memory == self.run * WORD_BYTES and joined <= MOST_COUNT:
                return joined, tuple(others)
        return self.run, self.moves


@dataclass(frozen=True)
class LoadIndex:
    """Move one int16 of each word of memory into the index table.

    Attributes:
        address: physical, a multiple of 8.
        element: which int16 of a word, 0 to 3.
        base: first entry of the table.
        run: consecutive words, each for an entry.
        order: waits and signals.
    """

    address: int
    element: int
    base: int
    run: int
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _address(self.address)
        within("element", self.element, 0, 3)
        within("run", self.run, 1, TABLE_ENTRIES)
        within("base", self.base, 0, TABLE_ENTRIES - self.run)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        head = Opcode.LOAD_INDEX | self.order.bits
        return head, self.address, *_moving(self.base, self.element, self.run, ())


@dataclass(frozen=True)
class Fill:
    """Write one int16 into every element of a pattern of words of a buffer.

    Attributes:
        value: the int16.
        buffer: where to.
        base: first word in the buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run; their strides in memory are 0.
        order: waits and signals.
    """

    value: int
    buffer: Buffer
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        signed("value", self.value, 16)
        within("run", self.run, 1, MOST_COUNT)
        _move_fields(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        head = Opcode.FILL | self.order.bits
        value = self.value & 0xFFFF
        return head, value, *_moving(self.base, self.buffer, self.run, self.moves)


@dataclass(frozen=True)
class LoadTransposed:
    """Move rows of memory into columns of the vector buffer.

    Each repeat reads a run of four rows, and writes for each of the 4 * run elements of a run one
    word: that element of the four rows.

    Attributes:
        address: physical, of row 0, a multiple of 8.
        base: first word in the vector buffer.
        run: words of each row, 1 to 16.
        row: stride from row to row, signed bytes, a multiple of 8.
        moves: what repeats it.
        order: waits and signals.
    """

    address: int
    base: int
    run: int
    row: int
    moves: Moves = ()
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _address(self.address)
        within("run", self.run, 1, MOST_TRANSPOSED_RUN)
        signed("row", self.row, 32)
        aligned("row", self.row)
        _move_fields(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        head = Opcode.LOAD_TRANSPOSED | self.order.bits
        moving = _moving(self.base, Buffer.VECTOR, self.run, self.moves)
        return head, self.address, *moving, self.row & 0xFFFFFFFF


@dataclass(frozen=True)
class Store:
    """Move words of the output buffer to memory.

    Attributes:
        address: physical, a multiple of 8.
        base: first word in the output buffer.
        run: consecutive words, 1 to 65535.
        moves: what repeats the run.
        order: waits and signals.
    """

    address: int
    base: int
    run: int
    moves: Moves = ()
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _address(self.address)
        within("run", self.run, 1, MOST_COUNT)
        _move_fields(self.base, self.moves)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        head = Opcode.STORE | self.order.bits
        return head, self.address, *_moving(self.base, 0, self.run, self.moves)


@dataclass(frozen=True)
class Mac:
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
    order: Semaphores = _UNORDERED

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
        _loops(self.loops)

    @property
    def loops(self) -> Loops:
        """All six loops."""
        results = COMPUTE_LOOPS - MAC_REDUCING
        return _padded(self.reducing, MAC_REDUCING) + _padded(self.results, results)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
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
            *_looping(self.loops),
        )


@dataclass(frozen=True)
class Maximum:
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

    a: int
    reducing: Loops
    results: Loops
    result: int
    index: int | None = None
    t: int = 0
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _element_wise(self.a, 0, self.result, self.t, self.reducing, self.results)
        unsigned("index", self.index or 0, 16)

    @property
    def loops(self) -> Loops:
        """All six loops."""
        return _padded(self.reducing + self.results, COMPUTE_LOOPS)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.MAXIMUM | self.order.bits,
            self.a,
            self.result | (self.index or 0) << 16,
            len(self.reducing) | (self.index is not None) << 2 | (self.t & 0xFFF) << 16,
            *_looping(self.loops),
        )


@dataclass(frozen=True)
class Total:
    """The rounded sum over the reducing loops, element by element of words.

    Attributes:
        a: A base, words of the scalar buffer.
        reducing: up to three loops that form one result; strides of A in words.
        results: the other loops.
        result: first word of the output buffer.
        shift: bits dropped from the sum, 0 to 47.
        order: waits and signals.
    """

    a: int
    reducing: Loops
    results: Loops
    result: int
    shift: int
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _element_wise(self.a, 0, self.result, 0, self.reducing, self.results)
        within("shift", self.shift, 0, LARGEST_SHIFT)

    @property
    def loops(self) -> Loops:
        """All six loops."""
        return _padded(self.reducing + self.results, COMPUTE_LOOPS)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.TOTAL | self.order.bits,
            self.a,
            self.result,
            len(self.reducing) | self.shift << 10,
            *_looping(self.loops),
        )


@dataclass(frozen=True)
class Mask:
    """B where A is positive, else 0, element by element of words; ReLU where A is B.

    Attributes:
        a: A base, words of the scalar buffer.
        b: B base, likewise.
        results: the loops; strides in words.
        result: first word of the output buffer.
        order: waits and signals.
    """

    a: int
    b: int
    results: Loops
    result: int
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _element_wise(self.a, self.b, self.result, 0, (), self.results)

    @property
    def reducing(self) -> Loops:
        """None."""
        return ()

    @property
    def loops(self) -> Loops:
        """All six loops."""
        return _padded(self.results, COMPUTE_LOOPS)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.MASK | self.order.bits,
            self.a | self.b << 16,
            self.result,
            0,
            *_looping(self.loops),
        )


@dataclass(frozen=True)
class Select:
    """The saturated sum of those A whose B equals T, element by element of words.

    Attributes:
        a: A base, words of the scalar buffer.
        b: B base, likewise.
        reducing: up to three loops that form one result; strides of A and B in words.
        results: the other loops.
        result: first word of the output buffer.
        t: T at the start.
        order: waits and signals.
    """

    a: int
    b: int
    reducing: Loops
    results: Loops
    result: int
    t: int
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        _element_wise(self.a, self.b, self.result, self.t, self.reducing, self.results)

    @property
    def loops(self) -> Loops:
        """All six loops."""
        return _padded(self.reducing + self.results, COMPUTE_LOOPS)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.SELECT | self.order.bits,
            self.a | self.b << 16,
            self.result,
            len(self.reducing) | (self.t & 0xFFF) << 16,
            *_looping(self.loops),
        )


@dataclass(frozen=True)
class Softmax:
    """Softmax of samples, and the deltas at their logits.

    Attributes:
        logits: first word in the scalar buffer.
        labels: first label, int16 elements of the scalar buffer.
        probabilities: first word in the output buffer.
        deltas: address of the input gradients.
        classes: 2 to 511.
        shift: fraction bits of the logits, plus 6; 0 to 47.
        samples: 1 to 65535.
        order: waits and signals.
    """

    logits: int
    labels: int
    probabilities: int
    deltas: int
    classes: int
    shift: int
    samples: int
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        for name in ("logits", "labels", "probabilities", "deltas"):
            unsigned(name, getattr(self, name), 16)
        within("classes", self.classes, LEAST_CLASSES, MOST_CLASSES)
        within("shift", self.shift, 0, LARGEST_SHIFT)
        within("samples", self.samples, 1, MOST_COUNT)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.SOFTMAX | self.order.bits,
            self.logits | self.labels << 16,
            self.probabilities | self.deltas << 16,
            self.classes | self.shift << 9 | self.samples << 16,
        )


@dataclass(frozen=True)
class Factors:
    """The integers of one SGD step for one tensor, see ARITHMETIC.md, section 5.

    Attributes:
        momentum: in steps of 2^-15; 15 bits, as all but the shifts.
        rate: R.
        rate_shift: rho, 0 to 47.
        decay: D.
        decay_shift: delta, 0 to 47.
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
class Sgd:
    """One SGD step of some weights.

    Attributes:
        masters: first word in the scalar buffer; 2 * fours of int32 pairs, as the next two.
        momenta: address of the momentum buffers.
        gradients: address of the gradients.
        result: first word in the output buffer, for new masters, new momenta, int16 weights.
        fours: fours of elements.
        factors: factors of this step; a host changes them from step to step.
        order: waits and signals.
    """

    masters: int
    momenta: int
    gradients: int
    result: int
    fours: int
    factors: Factors = Factors()
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        for name in ("masters", "momenta", "gradients", "result"):
            unsigned(name, getattr(self, name), 16)
        within("fours", self.fours, 1, MOST_COUNT)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.SGD | self.order.bits,
            self.masters | self.momenta << 16,
            self.result | self.gradients << 16,
            self.fours,
            *self.factors.words,
        )


@dataclass(frozen=True)
class Gate:
    """Judge samples: how far is their softmax from the one they were speculated with?

    Attributes:
        actual: first word of the actual softmax, in the scalar buffer.
        cached: address of the cached softmax.
        records: address of a word for each sample: label, read slot, write slot.
        result: first word in the output buffer, of two for each sample and one more.
        sample_words: words of a softmax, 1 to 128.
        total: whether the distance is the sum of the differences, not the largest.
        samples: 1 to 1023.
        limit: a sample is accepted below it; a host changes it.
        order: waits and signals.
    """

    actual: int
    cached: int
    records: int
    result: int
    sample_words: int
    total: bool
    samples: int
    limit: int = 0
    order: Semaphores = _UNORDERED

    def __post_init__(self) -> None:
        for name in ("actual", "cached", "records", "result"):
            unsigned(name, getattr(self, name), 16)
        within("sample_words", self.sample_words, 1, MOST_GATED_WORDS)
        within("samples", self.samples, 1, MOST_GATED)
        within("limit", self.limit, 0, MOST_LIMIT)

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (
            Opcode.GATE | self.order.bits,
            self.actual | self.cached << 16,
            self.result | self.records << 16,
            self.sample_words | self.total << 8 | self.samples << 16,
            self.limit,
        )


LoadUnit: TypeAlias = Load | Fill | LoadTransposed | LoadIndex
ElementWise: TypeAlias = Maximum | Total | Mask | Select
ComputeUnit: TypeAlias = Mac | ElementWise | Softmax | Sgd | Gate
UnitDescriptor: TypeAlias = LoadUnit | ComputeUnit | Store
SequencerDescriptor: TypeAlias = Nop | Copy | End | Skip
Descriptor: TypeAlias = SequencerDescriptor | UnitDescriptor

SGD_FACTOR_WORDS = slice(4, 6)
"""Of a descriptor: where a host writes `Factors.words` for the next step."""


GATE_LIMIT_WORD = 4
"""Likewise, where a host writes the limit of a GATE."""


def encode(program: Sequence[Descriptor]) -> NDArray[np.uint32]:
    """Return the words of `program`, a row for each descriptor."""
    words = np.zeros((len(program), DESCRIPTOR_WORDS), np.uint32)
    for row, descriptor in zip(words, program, strict=True):
        row[: len(descriptor.words)] = descriptor.words
    return words


def jumps(loops: Loops) -> list[tuple[int, int, int]]:
    """Return what the addresses A and B, and T, gain when each loop advances.

    The loops below it start again then, so what they have gained is taken back.
    """
    found, gained = [], (0, 0, 0)
    for loop in loops:
        strides = loop.a, loop.b, loop.t
        a, b, t = (stride - back for stride, back in zip(strides, gained, strict=True))
        # A loop that never advances has no jump: what it says need not fit.
        found.append((a, b, t) if loop.count > 1 else (0, 0, 0))
        repeats = loop.count - 1
        gained = (
            gained[0] + repeats * loop.a,
            gained[1] + repeats * loop.b,
            gained[2] + repeats * loop.t,
        )
    return found


def _padded(loops: Loops, count: int) -> Loops:
    return loops + (_NO_LOOP,) * (count - len(loops))


def _looping(loops: Loops) -> list[int]:
    """Return words 4 to 15."""
    words = []
    for loop, (a, b, t) in zip(loops, jumps(loops), strict=True):
        words += [loop.count - 1 | (a & 0xFFFFF) << 12, b & 0xFFFFF | (t & 0xFFF) << 20]
    return words


def _moving(base: int, buffer: int, run: int, moves: Moves) -> list[int]:
    """Return words 2 to 9."""
    missing = (_NO_MOVE,) * (3 - len(moves))
    table = moves[-1].table if moves else None
    # What goes through the table is dimension 2.
    padded = moves + missing if table is None else moves[:-1] + missing + moves[-1:]
    first, second, third = padded
    return [
        base | buffer << 16,
        run | first.count << 16,
        second.count | third.count << 16,
        *(move.memory & 0xFFFFFFFF for move in (first, second, third)),
        first.buffer & 0xFFFF | (second.buffer & 0xFFFF) << 16,
        third.buffer & 0xFFFF | (0 if table is None else table << 16 | 1 << 31),
    ]


def _move_fields(base: int, moves: Moves) -> None:
    unsigned("base", base, 16)
    if len(moves) > 3:
        raise UsageError(f"{len(moves)} moves: a descriptor has three")
    if any(move.table is not None for move in moves[:-1]):
        raise UsageError("only the outermost move goes through the index table")


def _element_wise(a: int, b: int, result: int, t: int, reducing: Loops, results: Loops) -> None:
    unsigned("a", a, 16)
    unsigned("b", b, 16)
    unsigned("result", result, 16)
    signed("t", t, 12)
    if len(reducing) > MAC_REDUCING:
        raise UsageError(f"{len(reducing)} reducing loops: a descriptor has at most {MAC_REDUCING}")
    _loops(_padded(reducing + results, COMPUTE_LOOPS))


def _loops(loops: Loops) -> None:
    if len(loops) > COMPUTE_LOOPS:
        raise UsageError(f"{len(loops)} loops: a descriptor has {COMPUTE_LOOPS}")
    for a, b, t in jumps(loops):
        signed("the A jump of a loop", a, 20)
        signed("the B jump of a loop", b, 20)
        signed("the T jump of a loop", t, 12)


def _address(address: int) -> None:
    unsigned("address", address, 32)
    aligned("address", address)
