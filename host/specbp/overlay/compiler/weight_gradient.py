"""Weight and bias gradients: sums over all positions of all samples.

Lanes hold output channels; the rows of the vector buffer are deltas, one for each position, and
the scalars are the layer's input. Sums of a chunk of the kernel wait in the partial buffer while
one tile of the batch follows the other; after the last they are rounded, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from specbp.errors import UsageError
from specbp.overlay.compiler.emitter import ONE, ONE_WORD, Emitter, Region
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Trained, Window, words_of
from specbp.overlay.compiler.splitting import Span, Tile, boxes, size, spans, tiles
from specbp.overlay.isa import WORD_BYTES, Addend, Buffer, Loop, Mac, Move, Result

WORK = "weight gradient"
INT32_WORDS = 2
"""Words of four int32."""


@dataclass(frozen=True)
class KernelPart:
    """Part of the weights of a layer.

    Attributes:
        taps: rows of the kernel.
        words: of input channels, four each.
        bias: whether the bias belongs to it.
    """

    taps: Span
    words: Span
    bias: bool


def whole_kernel(trained: Trained) -> KernelPart:
    """Return all of a layer's weights, and its bias."""
    return KernelPart((0, trained.kernel[0]), (0, words_of(trained.inputs)), bias=True)


@dataclass(frozen=True)
class WeightGradient:
    """A pass.

    Attributes:
        layer: its name.
        trained: what the layer trains.
        window: of the layer.
        source: the layer's input.
        deltas: at its output.
        weight_shift: bits dropped from the sums of a weight.
        bias_shift: likewise of a bias.
        part: of the weights, that are wanted.
    """

    layer: str
    trained: Trained
    window: Window
    source: FeatureMap
    deltas: FeatureMap
    weight_shift: int
    bias_shift: int
    part: KernelPart


@dataclass(frozen=True)
class _Chunk:
    """Part of the kernel: rows, and words of input channels."""

    taps: Span
    words: Span

    def counts(self, pass_: WeightGradient) -> tuple[int, int, int]:
        """Return how many rows, columns and input channels it has."""
        last = min(self.words[1] * PER_WORD, pass_.source.shape.channels)
        return size(self.taps), pass_.window.kernel[1], last - self.words[0] * PER_WORD

    def results(self, pass_: WeightGradient) -> int:
        """Return how many weights of an output channel it has."""
        rows, columns, channels = self.counts(pass_)
        return rows * columns * channels


@dataclass(frozen=True)
class _Plan:
    chunks: list[_Chunk]
    tiles: list[Tile]
    blocks: list[Span]


def emit_weight_gradient(emitter: Emitter, pass_: WeightGradient) -> None:
    """Emit `pass_`.

    Raises:
        UsageError: it does not fit the buffers; the message says what would.
    """
    plan = min(_plans(emitter, pass_), key=lambda one: _cost(emitter, pass_, one), default=None)
    if plan is None:
        raise _too_large(emitter, pass_)
    emitter.begin(pass_.layer, WORK)
    for block in plan.blocks:
        for chunk in plan.chunks:
            for tile in plan.tiles:
                _emit_tile(emitter, pass_, plan, block, chunk, tile)


def _emit_tile(
    emitter: Emitter,
    pass_: WeightGradient,
    plan: _Plan,
    block: Span,
    chunk: _Chunk,
    tile: Tile,
) -> None:
    emitter.at(
        f"samples {tile.samples[0]}..{tile.samples[1] - 1} rows {tile.rows[0]}..{tile.rows[1] - 1} "
        f"outputs {PER_WORD * block[0]}..{PER_WORD * block[1] - 1} of kernel rows "
        f"{chunk.taps[0]}..{chunk.taps[1] - 1} inputs "
        f"{PER_WORD * chunk.words[0]}..{PER_WORD * chunk.words[1] - 1}"
    )
    rows = _deltas_at(emitter, pass_, tile, block)
    if chunk == plan.chunks[0] and pass_.part.bias:
        _emit_bias(emitter, pass_, plan, block, tile, rows)
    region = _region(pass_, tile, chunk)
    base = PER_WORD * emitter.region_at(pass_.source, region)
    everything = chunk.counts(pass_)
    if tile != plan.tiles[-1]:
        whole = tuple((0, count) for count in everything)
        _emit_mac(emitter, pass_, plan, block, tile, region, base, rows, whole, 0, 0, Result.SUMS)
        return
    groups, first = size(block), 0
    most = emitter.output.half // (INT32_WORDS * groups)
    for box in boxes(everything, most):
        count = size(box[0]) * size(box[1]) * size(box[2])
        result = emitter.output.take(INT32_WORDS * groups * count)
        _emit_mac(
            emitter, pass_, plan, block, tile, region, base, rows, box, first, result, Result.INT32
        )
        _emit_store(emitter, pass_, block, chunk, box, result)
        first += count * groups


def _emit_mac(
    emitter: Emitter,
    pass_: WeightGradient,
    plan: _Plan,
    block: Span,
    tile: Tile,
    region: Region,
    base: int,
    rows: int,
    box: tuple[Span, ...],
    partial: int,
    result: int,
    kind: Result,
) -> None:
    """Emit the sums of a tile for a box of kernel rows, columns and input channels."""
    vertical, horizontal = pass_.window.stride
    width, height = pass_.deltas.shape.columns, size(tile.rows)
    taps, columns, channels = box
    row, position = PER_WORD * region.row, PER_WORD * region.position
    emitter.emit(
        Mac(
            base + taps[0] * row + columns[0] * position + channels[0],
            rows,
            (
                Loop(width, horizontal * position, 1),
                Loop(height, vertical * row, width),
                Loop(size(tile.samples), PER_WORD * region.sample, width * height),
            ),
            (Loop(size(channels), 1), Loop(size(columns), position), Loop(size(taps), row)),
            result,
            kind,
            size(block),
            shift=pass_.weight_shift if kind == Result.INT32 else 0,
            addend=Addend.NONE if tile == plan.tiles[0] else Addend.PARTIAL,
            addend_base=partial,
        )
    )


def _emit_store(
    emitter: Emitter,
    pass_: WeightGradient,
    block: Span,
    chunk: _Chunk,
    box: tuple[Span, Span, Span],
    result: int,
) -> None:
    trained = pass_.trained
    taps, columns, channels = box
    run = INT32_WORDS * size(block)
    # Gradients are int32 in the order of the int16 weights: twice their offset.
    offset = trained.at(
        chunk.taps[0] + taps[0],
        columns[0],
        PER_WORD * chunk.words[0] + channels[0],
        block[0],
    )
    emitter.store(
        trained.weight_state[2] + 2 * (offset - trained.weight),
        result,
        run,
        [
            Move(size(channels), 2 * trained.input_bytes, run),
            Move(size(columns), 2 * trained.column_bytes, run * size(channels)),
            Move(size(taps), 2 * trained.row_bytes, run * size(channels) * size(columns)),
        ],
    )


def _emit_bias(
    emitter: Emitter, pass_: WeightGradient, plan: _Plan, block: Span, tile: Tile, rows: int
) -> None:
    """Emit the sum of a tile's deltas, each times the constant 1."""
    emitter.fill(ONE, ONE_WORD, 1)
    groups = size(block)
    partial = _partial_rows(pass_, plan.chunks, groups)
    last = tile == plan.tiles[-1]
    result = emitter.output.take(INT32_WORDS * groups) if last else partial
    emitter.emit(
        Mac(
            PER_WORD * ONE_WORD,
            rows,
            (
                Loop(pass_.deltas.shape.columns, 0, 1),
                Loop(size(tile.rows), 0, pass_.deltas.shape.columns),
                Loop(size(tile.samples), 0, size(tile.rows) * pass_.deltas.shape.columns),
            ),
            (),
            result,
            Result.INT32 if last else Result.SUMS,
            groups,
            shift=pass_.bias_shift if last else 0,
            addend=Addend.NONE if tile == plan.tiles[0] else Addend.PARTIAL,
            addend_base=0 if tile == plan.tiles[0] else partial,
        )
    )
    if last:
        address = pass_.trained.bias_state[2] + INT32_WORDS * block[0] * WORD_BYTES
        emitter.store(address, result, INT32_WORDS * groups)


def _deltas_at(emitter: Emitter, pass_: WeightGradient, tile: Tile, block: Span) -> int:
    """Return the first row of a tile's deltas; load them where they are not there yet."""
    deltas, row, groups = pass_.deltas, emitter.groups, size(block)
    key = (deltas, tile, block)
    found = emitter.vector.find(key)
    if found is None:
        width, height = deltas.shape.columns, size(tile.rows)
        found = emitter.vector.take(size(tile.samples) * height * width, key)
        emitter.load(
            deltas.at(tile.samples[0], tile.rows[0], 0, block[0]),
            Buffer.VECTOR,
            found * row,
            groups,
            [
                Move(width, deltas.position_bytes, row),
                Move(height, deltas.row_bytes, row * width),
                deltas.moves(tile.samples[0], size(tile.samples), row * width * height),
            ],
        )
    return found


def _region(pass_: WeightGradient, tile: Tile, chunk: _Chunk) -> Region:
    """Return what of the input meets a tile of deltas."""
    window, (vertical, horizontal) = pass_.window, pass_.window.stride
    top = tile.rows[0] * vertical - window.padding[0] + chunk.taps[0]
    height = (size(tile.rows) - 1) * vertical + size(chunk.taps)
    width = (pass_.deltas.shape.columns - 1) * horizontal + window.kernel[1]
    left = -window.padding[1]
    return Region(tile.samples, (top, top + height), (left, left + width), chunk.words)


def _partial_rows(pass_: WeightGradient, chunks: list[_Chunk], groups: int) -> int:
    """Return the rows of the partial buffer for weights; those for the bias follow."""
    return max(chunk.results(pass_) for chunk in chunks) * groups


def _plans(emitter: Emitter, pass_: WeightGradient) -> Iterator[_Plan]:
    """Yield what fits the buffers, for every way to cut the kernel."""
    deltas, parameters = pass_.deltas, emitter.parameters
    blocks = spans(deltas.shape.words, parameters.groups)
    groups = size(blocks[0])
    for chunks in _chunkings(pass_):

        def fits(samples: int, rows: int, chunks: list[_Chunk] = chunks) -> bool:
            region = _region(pass_, Tile((0, samples), (0, rows)), chunks[0])
            positions = samples * rows * deltas.shape.columns
            return region.size <= emitter.scalar.half and positions <= emitter.vector.half

        cut = tiles(deltas.samples, deltas.shape.rows, fits)
        room = _partial_rows(pass_, chunks, groups) + groups <= parameters.partial_rows
        if cut is not None and (room or len(cut) == 1):
            yield _Plan(chunks, cut, blocks)


def _chunkings(pass_: WeightGradient) -> Iterator[list[_Chunk]]:
    """Yield ways to cut the kernel: input channels first, then its rows too."""
    part = pass_.part
    words, taps = size(part.words), size(part.taps)

    def moved(some: Span, by: int) -> Span:
        return some[0] + by, some[1] + by

    widths = {size(spans(words, most)[0]) for most in range(1, words + 1)}
    for width in sorted(widths):
        slices = [moved(some, part.words[0]) for some in spans(words, width)]
        yield [_Chunk(part.taps, some) for some in slices]
    for height in {size(spans(taps, most)[0]) for most in range(1, taps)}:
        slices = [moved(some, part.words[0]) for some in spans(words, 1)]
        heights = [moved(rows, part.taps[0]) for rows in spans(taps, height)]
        yield [_Chunk(rows, some) for some in slices for rows in heights]


MAC_OVERHEAD = 30
"""Cycles of a MAC beside its products, roughly."""
SHORTEST_BURST = 4
"""Cycles that a run of words takes at least."""


def _cost(emitter: Emitter, pass_: WeightGradient, plan: _Plan) -> float:
    """Estimate the cycles of a plan; only to choose between plans."""
    positions = pass_.deltas.samples * pass_.deltas.shape.positions
    groups = size(plan.blocks[0])
    scalars = sum(
        max(_region(pass_, tile, chunk).size, SHORTEST_BURST)
        for tile in plan.tiles
        for chunk in plan.chunks
    )
    vectors = positions * max(groups, SHORTEST_BURST)
    if positions > emitter.vector.whole:
        vectors *= len(plan.chunks)
    loads = (scalars + vectors) * len(plan.blocks)
    results = sum(chunk.results(pass_) for chunk in plan.chunks)
    rounds = sum(
        max(size(tile.samples) * size(tile.rows) * pass_.deltas.shape.columns, groups)
        for tile in plan.tiles
    )
    products = rounds * results * len(plan.blocks)
    macs = len(plan.tiles) * len(plan.chunks) * len(plan.blocks)
    return max(loads, products) + 0.1 * loads + MAC_OVERHEAD * macs


def _too_large(emitter: Emitter, pass_: WeightGradient) -> UsageError:
    region = _region(pass_, Tile((0, 1), (0, 1)), _Chunk((0, 1), (0, 1)))
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
