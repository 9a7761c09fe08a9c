"""Sums of products over windows: forward and input gradient of convolutions and linear layers.

Lanes hold channels of the result. For each result the scalars of its window, over all channels of
the source, meet rows of the vector buffer: one for each tap of the kernel and source channel.
"""

from __future__ import annotations

from specbp.errors import UsageError
from specbp.overlay.compiler.correlation_pass import Bias, Chunk, Correlation, Rows
from specbp.overlay.compiler.correlation_plan import Piece, Plan, cost, plans, region, vector_rows
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.shapes import PER_WORD, move_over
from specbp.overlay.compiler.side_by_side import side_by_side
from specbp.overlay.compiler.splitting import Span, size, told
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Addend, Buffer, Loop, Mac, Move, Result


def emit_correlation(emitter: Emitter, pass_: Correlation) -> None:
    """Emit `pass_`.

    Raises:
        UsageError: it does not fit the buffers; the message says what would.
    """
    ways = [pass_]
    shared = side_by_side(pass_, emitter.groups)
    if shared is not pass_:
        ways.append(shared)
    cuts = (plan for way in ways for plan in plans(emitter, way))
    plan = min(cuts, key=lambda one: cost(one, emitter), default=None)
    if plan is None:
        raise _too_large(emitter, pass_)
    emitter.begin(pass_.layer, pass_.work)
    if plan.sliced:
        for block in plan.blocks:
            for first in range(0, len(plan.pieces), plan.together):
                together = plan.pieces[first : first + plan.together]
                for chunk in plan.chunks:
                    for place, piece in enumerate(together):
                        _emit_mac(emitter, plan, block, chunk, piece, place)
    else:
        for piece in plan.pieces:
            for block in plan.blocks:
                for chunk in plan.chunks:
                    _emit_mac(emitter, plan, block, chunk, piece, 0)


def _emit_mac(
    emitter: Emitter, plan: Plan, block: Span, chunk: Chunk, piece: Piece, place: int
) -> None:
    """Emit one chunk of one piece, and where it is the last chunk its store."""
    emitter.at(
        f"samples {told(piece.samples)} rows {told(piece.rows)} columns {told(piece.columns)} "
        f"channels {PER_WORD * block[0]}..{PER_WORD * block[1] - 1} of {told(chunk.channels)}"
    )
    first, last = chunk == plan.chunks[0], chunk == plan.chunks[-1]
    pass_, groups = plan.pass_, size(block)
    bias_row = 0
    if pass_.bias and first:
        bias_row = _bias_at(emitter, pass_.bias, block, pass_.positions)
    pitch = pass_.pitch(size(chunk.channels))
    vectors = _vectors_at(emitter, pass_, chunk, block)
    channels = chunk.channels if plan.sliced else (0, pass_.source.shape.channels)
    source = region(pass_, piece, channels)
    base = emitter.region_at(pass_.source, source)
    taps = max(chunk.taps[0], piece.taps[0]), min(chunk.taps[1], piece.taps[1])
    scalars = PER_WORD * (base + (taps[0] - piece.taps[0]) * source.row)
    skipped = (taps[0] - chunk.taps[0]) * pass_.taps[1] + piece.tap_columns[0]
    partial = place * plan.largest * groups
    result, kind = partial, Result.SUMS
    if last:
        result, kind = emitter.output.take(piece.results * groups), Result.INT16
    if first:
        addend, addend_base = (Addend.BIAS, bias_row) if pass_.bias else (Addend.NONE, 0)
    else:
        addend, addend_base = Addend.PARTIAL, partial
    emitter.emit(
        Mac(
            scalars + chunk.channels[0] - channels[0],
            vectors + skipped * pitch,
            (
                Loop(size(chunk.channels), 1, 1),
                Loop(size(piece.tap_columns), PER_WORD * source.position, pitch),
                Loop(size(taps), PER_WORD * source.row, pitch * pass_.taps[1]),
            ),
            (
                Loop(size(piece.columns), PER_WORD * source.position * pass_.stride[1]),
                Loop(size(piece.rows), PER_WORD * source.row * pass_.stride[0]),
                Loop(size(piece.samples), PER_WORD * source.sample),
            ),
            result,
            kind,
            groups,
            shift=pass_.shift if last else 0,
            addend=addend,
            addend_base=addend_base,
            left=pass_.bias.left if pass_.bias and first else 0,
            relu=pass_.relu and last,
        )
    )
    if last:
        _emit_stores(emitter, pass_, piece, block, result)


def _emit_stores(
    emitter: Emitter, pass_: Correlation, piece: Piece, block: Span, result: int
) -> None:
    """Emit the stores of a piece; of positions side by side only those that the target has."""
    target, (rows, columns) = pass_.target, pass_.neighbours
    groups = size(block) // pass_.positions
    top, left = piece.rows[0] * rows, piece.columns[0] * columns
    width = min(piece.columns[1] * columns, target.columns) - left
    # Positions of a row follow each other in the buffer where no other row lies between them.
    run = width if rows == 1 else columns
    whole, rest = divmod(width, run)
    result_row = size(piece.columns) * size(block)
    first, count = piece.samples[0], size(piece.samples)
    samples = move_over(
        target.sample_bytes, target.table, first, count, result_row * size(piece.rows)
    )
    for row in range(rows):
        height = -(-(min(piece.rows[1] * rows, target.rows) - top - row) // rows)
        for column, wide, repeats in ((0, run, whole), (whole * run, rest, 1)):
            if height > 0 and wide and repeats:
                emitter.store(
                    target.address
                    + (first * target.sample_bytes if target.table is None else 0)
                    + (top + row) * target.row_bytes
                    + (left + column) * target.column_bytes
                    + block[0] * WORD_BYTES,
                    result + row * columns * groups + column * groups * rows,
                    groups,
                    [
                        Move(wide, target.column_bytes, groups),
                        Move(repeats, run * target.column_bytes, size(block)),
                        Move(height, rows * target.row_bytes, result_row),
                        samples,
                    ],
                )


def _vectors_at(emitter: Emitter, pass_: Correlation, chunk: Chunk, block: Span) -> int:
    """Return the first row of a chunk; load it where it is not there yet."""
    key = (pass_, chunk, block)
    found = emitter.vector.find(key)
    if found is None:
        found = emitter.vector.take(vector_rows(pass_, chunk), key)
        pass_.load_vectors(emitter, chunk, block, Rows(found * emitter.groups, pass_.taps[1]))
    return found


def _bias_at(emitter: Emitter, bias: Bias, block: Span, positions: int) -> int:
    """Return the first row of a block's biases; load them where they are not there yet.

    Args:
        emitter: takes the descriptors.
        bias: which.
        block: words of the result's channels.
        positions: how many share the lanes; each has the same biases.
    """
    key = (bias, block, positions)
    found = emitter.bias.find(key)
    if found is None:
        found = emitter.bias.take(size(block), key)
        words = 2 * size(block) // positions
        address = bias.address + 2 * block[0] * WORD_BYTES
        repeats = [Move(positions, 0, words)]
        emitter.load(address, Buffer.BIAS, 2 * found, words, repeats)
    return found


def _too_large(emitter: Emitter, pass_: Correlation) -> UsageError:
    one = (0, 1)
    row = Piece(one, one, (0, pass_.results[1]), (0, pass_.taps[0]), (0, pass_.taps[1]))
    words = region(pass_, row, (0, min(PER_WORD, pass_.source.shape.channels))).size
    results = pass_.target.columns * min(emitter.groups, pass_.target.words)
    rows = pass_.taps[1] * PER_WORD
    needs = (
        (rows, emitter.vector.half, "rows of the vector buffer, for one row of the kernel"),
        (words, emitter.scalar.half, "words of the scalar buffer, for one row of results"),
        (results, emitter.output.half, "words of the output buffer, for one row of results"),
    )
    return too_large(pass_.layer, pass_.work, needs)
