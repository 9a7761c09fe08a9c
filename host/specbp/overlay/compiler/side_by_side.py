"""Several positions of a target side by side in the lanes, where its channels do not fill them.

Neighbouring positions need the same scalars at neighbouring taps, so the kernel becomes a larger
one, whose rows hold each position's weights at that position's taps and zeros at the others.
"""

from __future__ import annotations

from dataclasses import replace

from specbp.network import Pair
from specbp.overlay.compiler.correlation_pass import Chunk, Correlation, Rows
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.splitting import Span, frame, grids, places, size
from specbp.overlay.instructions import Buffer, Fill, Move


def side_by_side(pass_: Correlation, groups: int) -> Correlation:
    """Return `pass_` with as many positions of the target in the lanes as saves most products.

    Args:
        pass_: with one position.
        groups: fours of lanes.
    """
    room = max(groups // pass_.words, 1)
    best = min(
        grids(room, room, room), key=lambda neighbours: _products(_larger(pass_, neighbours))
    )
    if best == (1, 1):
        return pass_

    larger = _larger(pass_, best)

    def load_vectors(emitter: Emitter, chunk: Chunk, block: Span, rows: Rows) -> None:
        for number, place in enumerate(places(best)):
            there = replace(rows, word=rows.word + number * pass_.words)
            _load_position(pass_, place, emitter, chunk, there)

    return replace(larger, load_vectors=load_vectors)


def _larger(pass_: Correlation, neighbours: Pair) -> Correlation:
    """Return `pass_` with the larger kernel, whose rows `pass_` cannot load."""
    (rows, columns), (vertical, horizontal) = neighbours, pass_.stride
    return replace(
        pass_,
        stride=(rows * vertical, columns * horizontal),
        taps=(
            pass_.taps[0] + (rows - 1) * vertical,
            pass_.taps[1] + (columns - 1) * horizontal,
        ),
        neighbours=neighbours,
    )


def _products(pass_: Correlation) -> int:
    """Return the taps that all results of a sample meet."""
    vertical, horizontal = (
        sum(max(size(pass_.taps_met(dimension, result)), 0) for result in range(count))
        for dimension, count in enumerate(pass_.results)
    )
    return vertical * horizontal


def _load_position(
    pass_: Correlation, neighbour: Pair, emitter: Emitter, chunk: Chunk, rows: Rows
) -> None:
    """Emit the loads of one position's weights, and zeros where the larger kernel has none.

    Args:
        pass_: with one position.
        neighbour: row and column of the position among those that share the lanes.
        emitter: takes the descriptors.
        chunk: chunk of the larger kernel.
        rows: where the first of the position's words goes.
    """
    pitch = pass_.pitch(size(chunk.channels))
    column = pitch * emitter.groups
    row = rows.columns * column

    # Where in the chunk the position's own kernel lies.
    top, left = (count * step for count, step in zip(neighbour, pass_.stride, strict=True))
    top -= chunk.taps[0]
    high = size(chunk.taps)
    first = min(max(top, 0), high)
    end = max(min(top + pass_.taps[0], high), first)
    around = frame((high, rows.columns), (first, end), (left, left + pass_.taps[1]))
    for taps, columns in around:
        start = rows.word + taps[0] * row + columns[0] * column
        moves = Move(size(columns) * pitch, 0, emitter.groups), Move(size(taps), 0, row)
        emitter.emit(Fill(0, Buffer.VECTOR, start, pass_.words, moves))
    if end > first:
        place = rows.word + first * row + left * column
        own = Chunk((first - top, end - top), chunk.channels)
        pass_.load_vectors(emitter, own, (0, pass_.words), replace(rows, word=place))
