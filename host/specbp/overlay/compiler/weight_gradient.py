"""Weight and bias gradients: sums over all positions of all samples.

Lanes hold output channels; the rows of the vector buffer are deltas, one for each position, and
the scalars are the layer's input. Sums of a chunk of the kernel wait in the partial buffer while
one tile of the batch follows the other; after the last they are rounded, once.
"""

from __future__ import annotations

from specbp.errors import UsageError
from specbp.network import Pair
from specbp.overlay.compiler.emitter import ONE, ONE_WORD, Emitter, Region
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.moves import parts
from specbp.overlay.compiler.shapes import PER_WORD
from specbp.overlay.compiler.splitting import Span, Tile, boxes, frame, places, size, told
from specbp.overlay.compiler.weight_gradient_plan import Chunk, Plan, WeightGradient, cost, plans
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Addend, Buffer, Fill, Loop, Mac, Move, Result

WORK = "weight gradient"
INT32_WORDS = 2
"""Words of four int32."""


def emit_weight_gradient(emitter: Emitter, pass_: WeightGradient) -> None:
    """Emit `pass_`.

    Raises:
        UsageError: it does not fit the buffers; the message says what would.
    """
    plan = min(plans(emitter, pass_), key=lambda one: cost(one, emitter), default=None)
    if plan is None:
        raise _too_large(emitter, pass_)
    emitter.begin(pass_.layer, WORK)
    for block in plan.blocks:
        for chunk in plan.chunks:
            for tile in plan.tiles:
                _emit_tile(emitter, plan, block, chunk, tile)


def _emit_tile(emitter: Emitter, plan: Plan, block: Span, chunk: Chunk, tile: Tile) -> None:
    emitter.at(
        f"samples {told(tile.samples)} rows {told(tile.rows)} "
        f"outputs {PER_WORD * block[0]}..{PER_WORD * block[1] - 1} of "
        f"kernel rows {told(chunk.taps)} "
        f"inputs {PER_WORD * chunk.words[0]}..{PER_WORD * chunk.words[1] - 1}"
    )
    pass_, groups = plan.pass_, size(block) * plan.at_once
    rows = _deltas_at(emitter, plan, tile, block)
    if chunk == plan.chunks[0] and pass_.part.bias:
        _emit_bias(emitter, plan, block, tile, rows)
    region = plan.region(tile, chunk)
    base = PER_WORD * emitter.region_at(pass_.source, region)
    everything = plan.counts(chunk)
    if tile != plan.tiles[-1]:
        whole = (0, everything[0]), (0, everything[1]), (0, everything[2])
        _emit_mac(emitter, plan, block, tile, region, base, rows, whole, 0, 0, Result.SUMS)
        return
    first = 0
    most = emitter.output.half // (INT32_WORDS * groups)
    for box in boxes(everything, most):
        count = size(box[0]) * size(box[1]) * size(box[2])
        result = emitter.output.take(INT32_WORDS * groups * count)
        _emit_mac(emitter, plan, block, tile, region, base, rows, box, first, result, Result.INT32)
        _emit_stores(emitter, plan, block, chunk, box, result)
        first += count * groups


def _emit_mac(
    emitter: Emitter,
    plan: Plan,
    block: Span,
    tile: Tile,
    region: Region,
    base: int,
    rows: int,
    box: tuple[Span, Span, Span],
    partial: int,
    result: int,
    kind: Result,
) -> None:
    """Emit the sums of a tile for a box of rows, columns and input channels of results."""
    vertical, horizontal = plan.pass_.window.stride
    height, width = plan.grid(tile)
    taps, columns, channels = box
    row, position = PER_WORD * region.row, PER_WORD * region.position
    down, right = plan.neighbours[0] * row, plan.neighbours[1] * position
    emitter.emit(
        Mac(
            base + taps[0] * down + columns[0] * right + channels[0],
            rows,
            (
                Loop(width, horizontal * position, 1),
                Loop(height, vertical * row, width),
                Loop(size(tile.samples), PER_WORD * region.sample, width * height),
            ),
            (Loop(size(channels), 1), Loop(size(columns), right), Loop(size(taps), down)),
            result,
            kind,
            size(block) * plan.at_once,
            shift=plan.pass_.weight_shift if kind == Result.INT32 else 0,
            addend=Addend.NONE if tile == plan.tiles[0] else Addend.PARTIAL,
            addend_base=partial,
        )
    )


def _emit_stores(
    emitter: Emitter,
    plan: Plan,
    block: Span,
    chunk: Chunk,
    box: tuple[Span, Span, Span],
    result: int,
) -> None:
    """Emit the stores of a box; of the taps side by side only those that the kernel has."""
    trained, (high, wide) = plan.pass_.trained, plan.neighbours
    taps, columns, channels = box
    run = INT32_WORDS * size(block)
    tap = run * plan.at_once
    for row, column in places(plan.neighbours):
        rows = _inside(taps, high, row, size(chunk.taps))
        row_columns = _inside(columns, wide, column, trained.kernel[1])
        if not rows or not row_columns:
            continue
        # Gradients are int32 in the order of the int16 weights: twice their offset.
        offset = trained.at(
            chunk.taps[0] + taps[0] * high + row,
            columns[0] * wide + column,
            PER_WORD * chunk.words[0] + channels[0],
            block[0],
        )
        emitter.store(
            trained.weight_state[2] + 2 * (offset - trained.weight),
            result + run * (row * wide + column),
            run,
            [
                Move(size(channels), 2 * trained.input_bytes, tap),
                Move(row_columns, 2 * trained.column_bytes * wide, tap * size(channels)),
                Move(rows, 2 * trained.row_bytes * high, tap * size(channels) * size(columns)),
            ],
        )


def _inside(results: Span, neighbours: int, place: int, taps: int) -> int:
    """Return how many of `results` have a tap at `place` of their neighbours."""
    return max(min(results[1], -(-(taps - place) // neighbours)) - results[0], 0)


def _emit_bias(emitter: Emitter, plan: Plan, block: Span, tile: Tile, rows: int) -> None:
    """Emit the sum of a tile's deltas, each times the constant 1."""
    emitter.fill(ONE, ONE_WORD, 1)
    pass_, groups = plan.pass_, size(block) * plan.at_once
    height, width = plan.grid(tile)
    last = tile == plan.tiles[-1]
    result = emitter.output.take(INT32_WORDS * groups) if last else plan.partial_rows
    emitter.emit(
        Mac(
            PER_WORD * ONE_WORD,
            rows,
            (
                Loop(width, 0, 1),
                Loop(height, 0, width),
                Loop(size(tile.samples), 0, width * height),
            ),
            (),
            result,
            Result.INT32 if last else Result.SUMS,
            groups,
            shift=pass_.bias_shift if last else 0,
            addend=Addend.NONE if tile == plan.tiles[0] else Addend.PARTIAL,
            addend_base=0 if tile == plan.tiles[0] else plan.partial_rows,
        )
    )
    if last:
        # All blocks of lanes have the same sum.
        address = pass_.trained.bias_state[2] + INT32_WORDS * block[0] * WORD_BYTES
        emitter.store(address, result, INT32_WORDS * size(block))


def _deltas_at(emitter: Emitter, plan: Plan, tile: Tile, block: Span) -> int:
    """Return the first row of a tile's deltas; load them where they are not there yet."""
    deltas = plan.pass_.deltas
    key = (deltas, plan.neighbours, tile, block)
    found = emitter.vector.find(key)
    if found is None:
        found = emitter.vector.take(plan.positions(tile), key)
        for place, neighbour in enumerate(places(plan.neighbours)):
            word = found * emitter.groups + place * size(block)
            _load_deltas(emitter, plan, tile, block, neighbour, word)
    return found


def _load_deltas(
    emitter: Emitter, plan: Plan, tile: Tile, block: Span, neighbour: Pair, word: int
) -> None:
    """Emit the loads of a tile's deltas, moved down and right by `neighbour`, zeros around them.

    Args:
        emitter: takes the descriptors.
        plan: plan of the pass.
        tile: which deltas.
        block: words of the output channels.
        neighbour: rows and columns by which they are moved.
        word: word of the vector buffer where the gradients of the first position go.
    """
    deltas, position = plan.pass_.deltas, emitter.groups
    (high, wide), (down, right) = plan.grid(tile), neighbour
    rows, columns = size(tile.rows), deltas.shape.columns
    row, sample = wide * position, high * wide * position
    samples = Move(size(tile.samples), 0, sample)

    around = frame((high, wide), (down, down + rows), (right, right + columns))
    for strip_rows, strip_columns in around:
        start = word + strip_rows[0] * row + strip_columns[0] * position
        moves = Move(size(strip_columns), 0, position), Move(size(strip_rows), 0, row), samples
        for part in parts(size(block), moves):
            emitter.emit(Fill(0, Buffer.VECTOR, start + part.buffer, part.run, part.moves))
    emitter.load(
        deltas.at(tile.samples[0], tile.rows[0], 0, block[0]),
        Buffer.VECTOR,
        word + down * row + right * position,
        size(block),
        [
            Move(columns, deltas.position_bytes, position),
            Move(rows, deltas.row_bytes, row),
            deltas.moves(tile.samples[0], size(tile.samples), sample),
        ],
    )


def _too_large(emitter: Emitter, pass_: WeightGradient) -> UsageError:
    one = Plan(pass_, (1, 1), [], [], [])
    region = one.region(Tile((0, 1), (0, 1)), Chunk((0, 1), (0, 1)))
    groups = min(emitter.groups, pass_.deltas.shape.words)
    channels = min(PER_WORD, pass_.source.shape.channels)
    sums = (pass_.window.kernel[1] * channels + 1) * groups
    return too_large(
        pass_.layer,
        WORK,
        (
            (pass_.deltas.shape.columns, emitter.vector.half, "rows of the vector buffer"),
            (region.size, emitter.scalar.half, "words of the scalar buffer"),
            (sums, emitter.parameters.partial_rows, "rows of the partial buffer"),
        ),
    )
