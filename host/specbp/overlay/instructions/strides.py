"""The loops of data moves, which repeat a run of words in memory and in a buffer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from specbp.errors import UsageError
from specbp.overlay.core_state import TABLE_ENTRIES, WORD_BYTES, CoreState, Words, outer
from specbp.overlay.fields import aligned, signed, unsigned, within
from specbp.overlay.instructions.access import Access, Extent, hull, memory

MOST_COUNT = 0xFFFF
"""The most words in a run, and the most repeats of a move."""
MOST_INDEXED_STRIDE = (1 << 24) - 1
SHORTEST_BURST = 4
"""Cycles that a run of words takes at least, from the latency of memory and its bursts at once."""


@dataclass(frozen=True)
class Move:
    """One loop of a data move.

    Attributes:
        count: repeats, 1 to 65535.
        memory: stride in memory, signed bytes, a multiple of 8.
        buffer: stride in the buffer, signed words.
        table: entry of the index table: where given, repeat i lies at the entry table + i, times
            the stride in memory, in place of i times it. Only the outermost move may have one.
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


Moves: TypeAlias = tuple[Move, ...]
"""Up to three moves, innermost first."""

_NO_MOVE = Move(1, 0, 0)


def move_words(base: int, buffer: int, run: int, moves: Moves) -> list[int]:
    """Return words 2 to 9 of a data move."""
    missing = (_NO_MOVE,) * (3 - len(moves))
    table = moves[-1].table if moves else None
    # What goes through the table is dimension 2.
    three = moves + missing if table is None else moves[:-1] + missing + moves[-1:]
    first, second, third = three
    return [
        base | buffer << 16,
        run | first.count << 16,
        second.count | third.count << 16,
        *(move.memory & 0xFFFFFFFF for move in (first, second, third)),
        first.buffer & 0xFFFF | (second.buffer & 0xFFFF) << 16,
        third.buffer & 0xFFFF | (0 if table is None else table << 16 | 1 << 31),
    ]


def check_moves(base: int, moves: Moves) -> None:
    """Refuse a first word that does not fit its field, and moves that a descriptor cannot have."""
    unsigned("base", base, 16)
    if len(moves) > 3:
        raise UsageError(f"{len(moves)} moves: a descriptor has three")
    if any(move.table is not None for move in moves[:-1]):
        raise UsageError("only the outermost move goes through the index table")


def check_address(address: int) -> None:
    """Refuse an address that does not fit its field or is not aligned."""
    unsigned("address", address, 32)
    aligned("address", address)


def repeats(moves: Iterable[Move]) -> int:
    """Return how often `moves` repeat a run."""
    return math.prod(move.count for move in moves)


def pattern(run: int, moves: Moves) -> Words:
    """Return the places of a move in a buffer, in order, in words."""
    places: Words = np.arange(run)
    for move in moves:
        places = outer(np.arange(move.count) * move.buffer, places).ravel()
    return places


def places(run: int, moves: Moves, core: CoreState) -> Words:
    """Return the offsets of a move in memory, in order, in bytes."""
    offsets: Words = np.arange(0, run * WORD_BYTES, WORD_BYTES)
    for move in moves:
        numbers = np.arange(move.count)
        if move.table is not None:
            numbers = core.entries(move.table + numbers)
        offsets = outer(numbers * move.memory, offsets).ravel()
    return offsets


def in_memory(moves: Iterable[Move]) -> list[tuple[int, int]]:
    """Return count and stride in memory, bytes, of each move."""
    return [(move.count, move.memory) for move in moves]


def in_buffer(moves: Iterable[Move]) -> list[tuple[int, int]]:
    """Return count and stride in the buffer, words, of each move."""
    return [(move.count, move.buffer) for move in moves]


def memory_access(address: int, run: int, moves: Moves, extent: Extent, write: bool) -> Access:
    """Return the access of a move to memory; a whole tensor where it goes through the table."""
    if moves and moves[-1].table is not None:
        low, high = extent(address)
        return Access("memory", low // WORD_BYTES, -(-high // WORD_BYTES), write)
    return memory(address, run, in_memory(moves), write)


def buffer_access(space: str, base: int, run: int, moves: Moves, groups: int) -> Access:
    """Return the access of a move that writes the buffer `space`."""
    low, high = hull(base, run, in_buffer(moves))
    if space == "vector":
        return Access(space, low // groups, -(-high // groups), True)
    return Access(space, low, high, True)


def moves_text(moves: Moves) -> str:
    """Return the moves, innermost first, as count and strides."""

    def stride(move: Move) -> str:
        if move.table is not None:
            return f"table[{move.table}]*{move.memory}"
        return f"{move.memory:+d}"

    return "".join(f" x {move.count}({stride(move)},{move.buffer:+d})" for move in moves)
