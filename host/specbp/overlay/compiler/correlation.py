"""Sums of products over windows: forward and input gradient of convolutions and linear layers.

Lanes hold channels of the result. For each result the scalars of its window, over all channels of
the source, meet rows of the vector buffer: one for each tap of the kernel and source channel. Rows
that do not fit half the vector buffer are taken in chunks, and sums wait in the partial buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from specbp.errors import UsageError
from specbp.overlay.compiler.emitter import Emitter, Region
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, move_over, words_of
from specbp.overlay.compiler.splitting import Span, Tile, size, spans, tiles
from specbp.overlay.isa import (
    WORD_BYTES,
    Addend,
    Buffer,
    Fill,
    Loop,
    Mac,
    Move,
    Result,
)


@dataclass(frozen=True)
class Chunk:
    """Part of what is summed.

    Attributes:
        taps: rows of the kernel.
        channels: of the source; begins at a multiple of four.
    """

    taps: Span
    channels: Span


@dataclass(frozen=True)
class Rows:
    """Where the rows of a chunk go.

    Attributes:
        word: of the vector buffer: the first of the first tap's first channel.
        columns: taps in a row of the kernel, as they lie in the buffer.
    """

    word: int
    columns: int


@dataclass(frozen=True)
class Target:
    """Where results go: a grid of positions in memory.

    Attributes:
        address: of the first word of the first position.
        rows: of positions.
        columns: of positions.
        sample_bytes: from a sample to the next.
        row_bytes: from a row to the next.
        column_bytes: from a position to the next in its row.
        words: of a position.
        table: of its samples, see `FeatureMap`.
    """

    address: int
    rows: int
    columns: int
    sample_bytes: int
    row_bytes: int
    column_bytes: int
    words: int
    table: int | None


@dataclass(frozen=True)
class Bias:
    """What is added to each sum.

    Attributes:
        address: of the int32 values.
        left: bits by which they are shifted left.
    """

    address: int
    left: int


@dataclass(frozen=True)
class Correlation:
    """A pass.

    Attributes:
        layer: its name.
        work: what the pass is.
        source: the map whose windows are summed.
        start: row and column of the source under the first tap of the first result.
        stride: between windows, (vertical, horizontal).
        taps: rows and columns of the kernel.
        target: where results go.
        load_vectors: emits the loads of a chunk's rows, in order [tap row][tap column][channel],
            for the lanes' words `Span`.
        pitch: rows from a tap to the next, given the channels of a chunk.
        bias: what is added, if anything.
        shift: bits dropped from the sums.
        relu: whether negative results become 0.
        neighbours: how many columns of the target share the lanes, side by side.
    """

    layer: str
    work: str
    source: FeatureMap
    start: tuple[int, int]
    stride: tuple[int, int]
    taps: tuple[int, int]
    target: Target
    load_vectors: Callable[[Emitter, Chunk, Span, Rows], None]
    pitch: Callable[[int], int]
    bias: Bias | None
    shift: int
    relu: bool
    neighbours: int = 1

    @property
    def columns(self) -> int:
        """Results in a row of the target; the last may have columns beyond its end."""
        return -(-self.target.columns // self.neighbours)

    @property
    def words(self) -> int:
        """Words of a result."""
        return self.target.words * self.neighbours


@dataclass(frozen=True)
class _Plan:
    """How a pass is cut up.

    Attributes:
        pass_: which it is.
        chunks: of what is summed.
        tiles: of the results.
        blocks: words of the results' channels, as many as there are lanes.
        sliced: whether a tile of the source holds a chunk's channels only.
        together: how many tiles meet a chunk before the next chunk comes.
    """

    pass_: Correlation
    chunks: list[Chunk]
    tiles: list[Tile]
    blocks: list[Span]
    sliced: bool
    together: int


def emit_correlation(emitter: Emitter, pass_: Correlation) -> None:
    """Emit `pass_`.

    Raises:
        UsageError: it does not fit the buffers; the message says what would.
    """
    ways = (pass_, side_by_side(pass_, emitter.groups))
    plans = (plan for way in ways for plan in _plans(emitter, way))
    plan = min(plans, key=lambda one: _cost(one, emitter), default=None)
    if plan is None:
        raise _too_large(emitter, pass_)
    emitter.begin(pass_.layer, pass_.work)
    if plan.sliced:
        for block in plan.blocks:
            for first in range(0, len(plan.tiles), plan.together):
                together = plan.tiles[first : first + plan.together]
                for chunk in plan.chunks:
                    for place, tile in enumerate(together):
                        _emit_mac(emitter, plan, block, chunk, tile, place)
    else:
        for tile in plan.tiles:
            for block in plan.blocks:
                for chunk in plan.chunks:
                    _emit_mac(emitter, plan, block, chunk, tile, 0)


def _emit_mac(
    emitter: Emitter, plan: _Plan, block: Span, chunk: Chunk, tile: Tile, place: int
) -> None:
    """Emit one chunk of one tile, and where it is the last chunk its store."""
    emitter.at(
        f"samples {tile.samples[0]}..{tile.samples[1] - 1} rows {tile.rows[0]}..{tile.rows[1] - 1} "
        f"channels {PER_WORD * block[0]}..{PER_WORD * block[1] - 1} of "
        f"{chunk.channels[0]}..{chunk.channels[1] - 1}"
    )
    first, last = chunk == plan.chunks[0], chunk == plan.chunks[-1]
    pass_, groups = plan.pass_, size(block)
    bias_row = 0
    if pass_.bias and first:
        bias_row = _bias_at(emitter, pass_.bias, block, pass_.neighbours)
    rows = _vectors_at(emitter, pass_, chunk, block)
    channels = chunk.channels if plan.sliced else (0, pass_.source.shape.channels)
    region = _region(pass_, tile, channels)
    base = emitter.region_at(pass_.source, region)
    count = size(tile.samples) * size(tile.rows) * pass_.columns
    partial = place * _largest(plan) * groups
    pitch = pass_.pitch(size(chunk.channels))
    scalars = PER_WORD * (base + chunk.taps[0] * region.row)
    result, kind = partial, Result.SUMS
    if last:
        result, kind = emitter.output.take(count * groups), Result.INT16
    if first:
        addend, addend_base = (Addend.BIAS, bias_row) if pass_.bias else (Addend.NONE, 0)
    else:
        addend, addend_base = Addend.PARTIAL, partial
    emitter.emit(
        Mac(
            scalars + chunk.channels[0] - channels[0],
            rows,
            (
                Loop(size(chunk.channels), 1, 1),
                Loop(pass_.taps[1], PER_WORD * region.position, pitch),
                Loop(size(chunk.taps), PER_WORD * region.row, pitch * pass_.taps[1]),
            ),
            (
                Loop(pass_.columns, PER_WORD * region.position * pass_.stride[1]),
                Loop(size(tile.rows), PER_WORD * region.row * pass_.stride[0]),
                Loop(size(tile.samples), PER_WORD * region.sample),
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
        _emit_store(emitter, pass_, tile, block, result)


def _emit_store(emitter: Emitter, pass_: Correlation, tile: Tile, block: Span, result: int) -> None:
    """Emit the store of a tile; of neighbours only those that are there."""
    target, groups = pass_.target, size(block) // pass_.neighbours
    row = pass_.columns * size(block)
    first, count = tile.samples[0], size(tile.samples)
    emitter.store(
        target.address
        + (first * target.sample_bytes if target.table is None else 0)
        + tile.rows[0] * target.row_bytes
        + block[0] * WORD_BYTES,
        result,
        groups,
        [
            Move(target.columns, target.column_bytes, groups),
            Move(size(tile.rows), target.row_bytes, row),
            move_over(target.sample_bytes, target.table, first, count, row * size(tile.rows)),
        ],
    )


def _vectors_at(emitter: Emitter, pass_: Correlation, chunk: Chunk, block: Span) -> int:
    """Return the first row of a chunk; load it where it is not there yet."""
    key = (pass_, chunk, block)
    found = emitter.vector.find(key)
    if found is None:
        found = emitter.vector.take(_rows(pass_, chunk), key)
        pass_.load_vectors(emitter, chunk, block, Rows(found * emitter.groups, pass_.taps[1]))
    return found


def _bias_at(emitter: Emitter, bias: Bias, block: Span, neighbours: int) -> int:
    """Return the first row of a block's biases; load them where they are not there yet."""
    key = (bias, block, neighbours)
    found = emitter.bias.find(key)
    if found is None:
        found = emitter.bias.take(size(block), key)
        words = 2 * size(block) // neighbours
        address = bias.address + 2 * block[0] * WORD_BYTES
        repeats = [Move(neighbours, 0, words)]
        emitter.load(address, Buffer.BIAS, 2 * found, words, repeats)
    return found


def _rows(pass_: Correlation, chunk: Chunk) -> int:
    return size(chunk.taps) * pass_.taps[1] * pass_.pitch(size(chunk.channels))


def _region(pass_: Correlation, tile: Tile, channels: Span) -> Region:
    """Return what of the source a tile of the target needs."""
    first = pass_.start[0] + tile.rows[0] * pass_.stride[0]
    height = (size(tile.rows) - 1) * pass_.stride[0] + pass_.taps[0]
    width = (pass_.columns - 1) * pass_.stride[1] + pass_.taps[1]
    return Region(
        tile.samples,
        (first, first + height),
        (pass_.start[1], pass_.start[1] + width),
        (channels[0] // PER_WORD, words_of(channels[1])),
    )


def _plans(emitter: Emitter, pass_: Correlation) -> Iterator[_Plan]:
    """Yield what fits the buffers."""
    target, parameters = pass_.target, emitter.parameters
    chunks = _chunks(pass_, emitter.vector.half)
    if chunks is None:
        return
    blocks = spans(pass_.words, parameters.groups)
    groups = size(blocks[0])
    for sliced in (False, True):
        channels = chunks[0].channels if sliced else (0, pass_.source.shape.channels)

        def fits(samples: int, rows: int, channels: Span = channels) -> bool:
            region = _region(pass_, Tile((0, samples), (0, rows)), channels)
            results = samples * rows * pass_.columns * groups
            return (
                region.size <= emitter.scalar.half
                and results <= emitter.output.half
                and (len(chunks) == 1 or results <= parameters.partial_rows)
            )

        cut = tiles(pass_.source.samples, target.rows, fits)
        if cut is not None:
            plan = _Plan(pass_, chunks, cut, blocks, sliced, len(cut))
            if len(chunks) > 1:
                room = parameters.partial_rows // (_largest(plan) * groups)
                plan = replace(plan, together=min(len(cut), room))
            yield plan


def _chunks(pass_: Correlation, most: int) -> list[Chunk] | None:
    """Cut what is summed into at most `most` rows each; None where even the least is more."""
    channels, (taps, columns) = pass_.source.shape.channels, pass_.taps
    whole = Chunk((0, taps), (0, channels))
    if _rows(pass_, whole) <= most:
        return [whole]
    at_once = taps
    while at_once and at_once * columns * PER_WORD > most:
        at_once -= 1
    if not at_once:
        return None
    width = min(most // (at_once * columns) // PER_WORD * PER_WORD, words_of(channels) * PER_WORD)
    return [
        Chunk(rows, some)
        for some in spans(channels, width, PER_WORD)
        for rows in spans(taps, at_once)
    ]


def _largest(plan: _Plan) -> int:
    """Return the results of the largest tile."""
    return max(size(tile.samples) * size(tile.rows) for tile in plan.tiles) * plan.pass_.columns


def side_by_side(pass_: Correlation, groups: int) -> Correlation:
    """Return `pass_` with several columns of the target side by side in the lanes.

    Where the target has few channels, most lanes would be idle. Its columns v, v + 1, ... need
    the same scalars at neighbouring taps, so the kernel becomes a wider one, whose rows hold each
    column's weights at that column's taps and zeros at the others.

    Args:
        pass_: with one column.
        groups: fours of lanes.
    """
    words, (taps, width), step = pass_.target.words, pass_.taps, pass_.stride[1]

    def columns(neighbours: int) -> int:
        """Return the taps of the wider kernel."""
        return width + (neighbours - 1) * step

    def products(neighbours: int) -> int:
        """Return the taps of all columns of a row."""
        return -(-pass_.target.columns // neighbours) * columns(neighbours)

    best = min(range(1, max(groups // words, 1) + 1), key=products)
    if best == 1:
        return pass_

    def load_vectors(emitter: Emitter, chunk: Chunk, block: Span, rows: Rows) -> None:
        pitch = pass_.pitch(size(chunk.channels))
        tap = pitch * emitter.groups
        for neighbour in range(best):
            start = rows.word + neighbour * words
            first = neighbour * step
            for skipped, missing in ((0, first), (first + width, rows.columns - first - width)):
                if missing:
                    moves = (
                        Move(missing * pitch, 0, emitter.groups),
                        Move(size(chunk.taps), 0, tap * rows.columns),
                    )
                    emitter.emit(Fill(0, Buffer.VECTOR, start + skipped * tap, words, moves))
            place = Rows(start + first * tap, rows.columns)
            pass_.load_vectors(emitter, chunk, (0, words), place)

    return replace(
        pass_,
        stride=(pass_.stride[0], best * step),
        taps=(taps, columns(best)),
        load_vectors=load_vectors,
        neighbours=best,
    )


SHORTEST_BURST = 4
"""Cycles that a run of words takes at least, from the latency of memory and its bursts at once."""
MAC_OVERHEAD = 30
"""Cycles of a MAC beside its products, roughly."""


def _cost(plan: _Plan, emitter: Emitter) -> float:
    """Estimate the cycles of a plan; only to choose between plans."""
    pass_ = plan.pass_
    rows = len(plan.blocks) * sum(_rows(pass_, chunk) for chunk in plan.chunks)
    vectors = rows * max(size(plan.blocks[0]), SHORTEST_BURST)
    fetched = [chunk.channels for chunk in plan.chunks]
    if not plan.sliced:
        fetched = [(0, pass_.source.shape.channels)]
    scalars = sum(_region(pass_, tile, some).size for tile in plan.tiles for some in fetched)
    if plan.sliced:
        if len(plan.chunks) > 1 or scalars > emitter.scalar.whole:
            scalars *= len(plan.blocks)
        rounds = -(-len(plan.tiles) // plan.together)
    else:
        rounds = len(plan.tiles)
    if rows > emitter.vector.whole:
        vectors *= rounds
    macs = len(plan.tiles) * len(plan.chunks) * len(plan.blocks)
    results = pass_.source.samples * pass_.target.rows * pass_.columns
    products = results * len(plan.blocks) * pass_.source.shape.channels
    products *= pass_.taps[0] * pass_.taps[1]
    loads = scalars + vectors
    return max(loads, products) + 0.1 * loads + MAC_OVERHEAD * macs


def _too_large(emitter: Emitter, pass_: Correlation) -> UsageError:
    one = Tile((0, 1), (0, 1))
    region = _region(pass_, one, (0, min(PER_WORD, pass_.source.shape.channels)))
    results = pass_.target.columns * min(emitter.groups, pass_.target.words)
    rows = pass_.taps[1] * PER_WORD
    needs = (
        (rows, emitter.vector.half, "rows of the vector buffer, for one row of the kernel"),
        (region.size, emitter.scalar.half, "words of the scalar buffer, for one row of results"),
        (results, emitter.output.half, "words of the output buffer, for one row of results"),
    )
    return too_large(pass_.layer, pass_.work, needs)
