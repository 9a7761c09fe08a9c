"""Nested strided moves as few descriptors: what is consecutive becomes one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Move, Moves
from specbp.overlay.instructions.strides import MOST_COUNT

MOST_MOVES = 3


@dataclass(frozen=True)
class Part:
    """One descriptor's share of a pattern.

    Attributes:
        memory: offset in memory, bytes.
        buffer: offset in the buffer, words.
        run: consecutive words.
        moves: what repeats the run.
    """

    memory: int
    buffer: int
    run: int
    moves: Moves


def parts(run: int, moves: Sequence[Move], merge_run: bool = True) -> Iterator[Part]:
    """Split a pattern of any depth into descriptors' worth.

    Args:
        run: words, consecutive on both sides.
        moves: what repeats them, innermost first; the last may go through the index table.
        merge_run: whether moves may become part of the run.
    """
    kept: list[Move] = []
    for move in moves:
        if move.table is not None:
            kept.append(move)
            continue
        if move.count == 1:
            continue
        if not kept and merge_run and _continues(run, move) and run * move.count <= MOST_COUNT:
            run *= move.count
        elif kept and _follows(kept[-1], move):
            kept[-1] = Move(kept[-1].count * move.count, kept[-1].memory, kept[-1].buffer)
        else:
            kept.append(move)
    yield from _unrolled(run, kept, 0, 0)


def _unrolled(run: int, moves: Sequence[Move], memory: int, buffer: int) -> Iterator[Part]:
    if len(moves) <= MOST_MOVES:
        yield Part(memory, buffer, run, tuple(moves))
        return
    # What goes through the index table stays: only a descriptor can do that.
    place = -1 if moves[-1].table is None else -2
    unrolled, rest = moves[place], [*moves[:place], *(moves[place + 1 :] if place < -1 else [])]
    for repeat in range(unrolled.count):
        yield from _unrolled(
            run, rest, memory + repeat * unrolled.memory, buffer + repeat * unrolled.buffer
        )


def _continues(run: int, move: Move) -> bool:
    return move.memory == run * WORD_BYTES and move.buffer == run


def _follows(inner: Move, outer: Move) -> bool:
    return (
        outer.memory == inner.count * inner.memory
        and outer.buffer == inner.count * inner.buffer
        and inner.count * outer.count <= MOST_COUNT
    )
