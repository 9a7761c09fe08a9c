"""Several positions of a target side by side in the lanes, where its channels do not fill them.

Neighbouring positions need the same scalars at neighbouring taps, so the kernel becomes a larger
one, whose rows hold each position's weights at that position's taps and zeros at the others.
"""

from __future__ import annotations

from dataclasses import replace

from specbp.network import Pair
from specbp.overlay.compiler.correlation_pass import Chunk, Correlation, Rows
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.splitting import Span, size
from specbp.overlay.isa import Buffer, Fill, Move


def side_by_side(pass_: Correlation, groups: int) -> Correlation:
    """Return `pass_` with as many positions of the target in the lanes as saves most products.

    Args:
        pass_: with one position.
        groups: fours of lanes.
    """
    room = max(groups // pass_.words, 1)
    ways = [
        (rows, columns) for rows in range(1, room + 1) for columns in range(1, room // rows + 1)
    ]
    best = min(ways, key=lambda neighbours: _products(_larger(pass_, neighbours)))
    if best == (1, 1):
        return pass_

    larger = _larger(pass_, best)

    def load_vectors(emitter: Emitter, chunk: Chunk, block: Span, rows: Rows) -> None:
        for place in range(larger.positions):
            there = replace(rows, word=rows.word + place * pass_.words)
            _load_position(pass_, divmod(place, best[1]), emitter, chunk, there)

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
        chunk: of the larger kernel.
        rows: where the first of the position's words goes.
    """
    pitch = pass_.pitch(size(chunk.channels))
    column = pitch * emitter.groups
    row = rows.columns * column

    def fill(taps: Span, columns: Span) -> None:
        if size(taps) > 0 and size(columns) > 0:
            start = rows.word + (taps[0] - chunk.taps[0]) * row + columns[0] * column
            moves = Move(size(columns) * pitch, 0, emitter.groups), Move(size(taps), 0, row)
            emitter.emit(Fill(0, Buffer.VECTOR, start, pass_.words, moves))

    # Where in the larger kernel the position's own begins.
    top, left = (count * step for count, step in zip(neighbour, pass_.stride, strict=True))
    first = min(max(top, chunk.taps[0]), chunk.taps[1])
    end = max(min(top + pass_.taps[0], chunk.taps[1]), first)
    fill((chunk.taps[0], first), (0, rows.columns))
    fill((end, chunk.taps[1]), (0, rows.columns))
    fill((first, end), (0, left))
    fill((first, end), (left + pass_.taps[1], rows.columns))
    if end > first:
        place = rows.word + (first - chunk.taps[0]) * row + left * column
        own = Chunk((first - top, end - top), chunk.channels)
        pass_.load_vectors(emitter, own, (0, pass_.words), replace(rows, word=place))
