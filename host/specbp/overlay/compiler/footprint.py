"""Which words of buffers and memory a descriptor touches, as ranges that hold them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from specbp.overlay.isa import (
    MAC_REDUCING,
    WORD_BYTES,
    Addend,
    Buffer,
    Copy,
    Descriptor,
    End,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Loop,
    Mac,
    Mask,
    Maximum,
    Move,
    Nop,
    Result,
    Select,
    Sgd,
    Skip,
    Softmax,
    Store,
    Total,
)

PER_WORD = 4
Extent = Callable[[int], tuple[int, int]]
"""Of the tensor in which an address lies: its first byte, and one past its last."""


@dataclass(frozen=True)
class Access:
    """A range of words of one space.

    Attributes:
        space: "memory" or the name of a buffer; rows for the partial and the vector buffer.
        low: first word.
        high: one past the last.
        write: whether it is written.
    """

    space: str
    low: int
    high: int
    write: bool


def accesses(descriptor: Descriptor, groups: int, extent: Extent) -> Iterator[Access]:
    """Yield what `descriptor` touches.

    What goes through the index table touches a whole tensor. The table itself is left out: the
    compiler puts barriers around what loads it.

    Args:
        descriptor: any.
        groups: fours of lanes of the overlay.
        extent: extent of the tensors.
    """
    match descriptor:
        case Nop() | Copy() | End() | Skip():
            pass
        case Load():
            yield _moved(descriptor, extent, write=False)
            yield _written(descriptor.buffer, descriptor, groups)
        case LoadIndex():
            yield _memory(descriptor.address, descriptor.run, (), write=False)
        case Fill():
            yield _written(descriptor.buffer, descriptor, groups)
        case LoadTransposed():
            rows = (Move(PER_WORD, descriptor.row, 0), *descriptor.moves)
            yield _memory(descriptor.address, descriptor.run, rows, write=False)
            columns = (Move(PER_WORD * descriptor.run, 0, groups), *descriptor.moves)
            low, high = _hull(descriptor.base, 1, (move_of(one) for one in columns))
            yield Access("vector", low // groups, -(-high // groups), True)
        case Store():
            low, high = _hull(
                descriptor.base, descriptor.run, (move_of(one) for one in descriptor.moves)
            )
            yield Access("output", low, high, False)
            yield _moved(descriptor, extent, write=True)
        case Mac():
            yield from _mac(descriptor)
        case Softmax():
            yield from _softmax(descriptor)
        case Gate():
            words = descriptor.samples * descriptor.sample_words
            for base in (descriptor.actual, descriptor.cached):
                yield Access("scalar", base, base + words, False)
            yield Access(
                "scalar", descriptor.records, descriptor.records + descriptor.samples, False
            )
            results = 2 * descriptor.samples + 1
            yield Access("output", descriptor.result, descriptor.result + results, True)
        case Sgd():
            for base in (descriptor.masters, descriptor.momenta, descriptor.gradients):
                yield Access("scalar", base, base + 2 * descriptor.fours, False)
            yield Access(
                "output", descriptor.result, descriptor.result + 5 * descriptor.fours, True
            )
        case Maximum() | Total() | Mask() | Select():
            yield from _element_wise(descriptor)


def move_of(move: Move) -> tuple[int, int]:
    """Return count and stride in the buffer."""
    return move.count, move.buffer


def _hull(base: int, run: int, strides: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the least range with all places of nested strides."""
    low, high = base, base + run
    for count, stride in strides:
        reach = (count - 1) * stride
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high


def _moved(descriptor: Load | Store, extent: Extent, write: bool) -> Access:
    if descriptor.moves and descriptor.moves[-1].table is not None:
        low, high = extent(descriptor.address)
        return Access("memory", low // WORD_BYTES, -(-high // WORD_BYTES), write)
    return _memory(descriptor.address, descriptor.run, descriptor.moves, write)


def _memory(address: int, run: int, moves: Iterable[Move], write: bool) -> Access:
    low, high = _hull(address, run * WORD_BYTES, ((one.count, one.memory) for one in moves))
    return Access("memory", low // WORD_BYTES, high // WORD_BYTES, write)


def _written(buffer: Buffer, descriptor: Load | Fill, groups: int) -> Access:
    low, high = _hull(descriptor.base, descriptor.run, (move_of(one) for one in descriptor.moves))
    if buffer == Buffer.VECTOR:
        return Access("vector", low // groups, -(-high // groups), True)
    return Access(buffer.name.lower(), low, high, True)


def _mac(mac: Mac) -> Iterator[Access]:
    low, high = _hull(mac.scalars, 1, ((one.count, one.a) for one in mac.loops))
    yield Access("scalar", low // PER_WORD, -(-high // PER_WORD), False)
    low, high = _hull(mac.vectors, 1, ((one.count, one.b) for one in mac.loops))
    yield Access("vector", low, high, False)
    results = _count(mac.loops[MAC_REDUCING:]) * mac.groups
    if mac.addend == Addend.BIAS:
        yield Access("bias", 2 * mac.addend_base, 2 * (mac.addend_base + mac.groups), False)
    elif mac.addend == Addend.PARTIAL:
        yield Access("partial", mac.addend_base, mac.addend_base + results, False)
    space = "partial" if mac.kind == Result.SUMS else "output"
    words = 2 * results if mac.kind == Result.INT32 else results
    yield Access(space, mac.result, mac.result + words, True)


def _element_wise(descriptor: Maximum | Total | Mask | Select) -> Iterator[Access]:
    yield Access(
        "scalar", *_hull(descriptor.a, 1, ((one.count, one.a) for one in descriptor.loops)), False
    )
    if isinstance(descriptor, Mask | Select):
        low, high = _hull(descriptor.b, 1, ((one.count, one.b) for one in descriptor.loops))
        yield Access("scalar", low, high, False)
    results = _count(descriptor.loops[len(descriptor.reducing) :])
    yield Access("output", descriptor.result, descriptor.result + results, True)
    if isinstance(descriptor, Maximum) and descriptor.index is not None:
        yield Access("output", descriptor.index, descriptor.index + results, True)


def _softmax(softmax: Softmax) -> Iterator[Access]:
    words = -(-softmax.classes // PER_WORD) * softmax.samples
    yield Access("scalar", softmax.logits, softmax.logits + words, False)
    last = softmax.labels + softmax.samples - 1
    yield Access("scalar", softmax.labels // PER_WORD, last // PER_WORD + 1, False)
    for base in (softmax.probabilities, softmax.deltas):
        yield Access("output", base, base + words, True)


def _count(loops: Iterable[Loop]) -> int:
    count = 1
    for loop in loops:
        count *= loop.count
    return count
