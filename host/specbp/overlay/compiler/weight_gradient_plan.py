"""How a weight gradient is cut up, so that it fits the buffers and takes least time.

Where the output channels do not fill the lanes, several taps share them: the deltas of a position
lie in a row beside those of the positions left of it and above it, each meets the same scalar, and
so each block of lanes sums another tap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from specbp.network import Pair
from specbp.overlay.compiler.emitter import Emitter, Region
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Trained, Window, words_of
from specbp.overlay.compiler.splitting import Span, Tile, grids, size, spans, tiles
from specbp.overlay.compiler.work import MAC_OVERHEAD
from specbp.overlay.instructions.strides import SHORTEST_BURST


@dataclass(frozen=True)
class KernelPart:
    """Part of the weights of a layer.

    Attributes:
        taps: rows of the kernel.
        words: words of four input channels.
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
        layer: name of the layer.
        trained: what the layer trains.
        window: window of the layer.
        source: the layer's input.
        deltas: at its output.
        weight_shift: bits dropped from the sums of a weight.
        bias_shift: shift of the bias gradient.
        part: the part of the weights that is wanted.
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
class Chunk:
    """Part of the kernel: rows, and words of input channels."""

    taps: Span
    words: Span


@dataclass(frozen=True)
class Plan:
    """How a pass is cut up.

    Attributes:
        pass_: kind of the pass.
        neighbours: rows and columns of taps that share the lanes, side by side: together they are
            one result.
        chunks: chunks of the kernel.
        tiles: tiles of the batch.
        blocks: words of the output channels, as many as the lanes take.
    """

    pass_: WeightGradient
    neighbours: Pair
    chunks: list[Chunk]
    tiles: list[Tile]
    blocks: list[Span]

    @property
    def at_once(self) -> int:
        """Taps of a result."""
        return self.neighbours[0] * self.neighbours[1]

    @property
    def partial_rows(self) -> int:
        """Rows of the partial buffer for weights; those for the bias follow."""
        groups = size(self.blocks[0]) * self.at_once
        return max(self.results(chunk) for chunk in self.chunks) * groups

    def counts(self, chunk: Chunk) -> tuple[int, int, int]:
        """Return how many rows, columns and input channels of results a chunk has."""
        rows, columns = self.neighbours
        last = min(chunk.words[1] * PER_WORD, self.pass_.source.shape.channels)
        return (
            -(-size(chunk.taps) // rows),
            -(-self.pass_.window.kernel[1] // columns),
            last - chunk.words[0] * PER_WORD,
        )

    def results(self, chunk: Chunk) -> int:
        """Return how many results a chunk has."""
        rows, columns, channels = self.counts(chunk)
        return rows * columns * channels

    def grid(self, tile: Tile) -> Pair:
        """Return the rows and columns of positions, of a sample, that a tile's scalars meet."""
        rows, columns = self.neighbours
        return size(tile.rows) + rows - 1, self.pass_.deltas.shape.columns + columns - 1

    def positions(self, tile: Tile) -> int:
        """Return the rows of the vector buffer that a tile takes."""
        rows, columns = self.grid(tile)
        return size(tile.samples) * rows * columns

    def region(self, tile: Tile, chunk: Chunk) -> Region:
        """Return what of the input meets a tile of deltas."""
        window, (vertical, horizontal) = self.pass_.window, self.pass_.window.stride
        rows, columns, _ = self.counts(chunk)
        high, wide = self.grid(tile)
        top = tile.rows[0] * vertical - window.padding[0] + chunk.taps[0]
        height = (high - 1) * vertical + 1 + (rows - 1) * self.neighbours[0]
        width = (wide - 1) * horizontal + 1 + (columns - 1) * self.neighbours[1]
        left = -window.padding[1]
        return Region(tile.samples, (top, top + height), (left, left + width), chunk.words)


def plans(emitter: Emitter, pass_: WeightGradient) -> Iterator[Plan]:
    """Yield what fits the buffers, for every way to cut the kernel and to share the lanes."""
    deltas, parameters = pass_.deltas, emitter.parameters
    blocks = spans(deltas.shape.words, parameters.groups)
    for neighbours in _neighbours(pass_, parameters.groups):
        for chunks in _chunkings(pass_):
            plan = Plan(pass_, neighbours, chunks, [], blocks)

            def fits(samples: int, rows: int, plan: Plan = plan) -> bool:
                tile = Tile((0, samples), (0, rows))
                return (
                    plan.region(tile, plan.chunks[0]).size <= emitter.scalar.half
                    and plan.positions(tile) <= emitter.vector.half
                )

            cut = tiles(deltas.samples, deltas.shape.rows, fits)
            bias = size(blocks[0]) * plan.at_once
            room = plan.partial_rows + bias <= parameters.partial_rows
            if cut is not None and (room or len(cut) == 1):
                yield replace(plan, tiles=cut)


def _neighbours(pass_: WeightGradient, groups: int) -> list[Pair]:
    """Return how many rows and columns of taps may share the lanes.

    Taps that meet the same scalar at different positions are a stride apart: only where that is 1
    are they neighbours.
    """
    most = max(groups // pass_.deltas.shape.words, 1)
    kernel = size(pass_.part.taps), pass_.window.kernel[1]
    high, wide = (
        taps if stride == 1 else 1 for taps, stride in zip(kernel, pass_.window.stride, strict=True)
    )
    return grids(most, high, wide)


def _chunkings(pass_: WeightGradient) -> Iterator[list[Chunk]]:
    """Yield ways to cut the kernel: input channels first, then its rows too."""
    part = pass_.part
    words, taps = size(part.words), size(part.taps)

    def moved(some: Span, by: int) -> Span:
        return some[0] + by, some[1] + by

    widths = {size(spans(words, most)[0]) for most in range(1, words + 1)}
    for width in sorted(widths):
        slices = [moved(some, part.words[0]) for some in spans(words, width)]
        yield [Chunk(part.taps, some) for some in slices]
    for height in {size(spans(taps, most)[0]) for most in range(1, taps)}:
        slices = [moved(some, part.words[0]) for some in spans(words, 1)]
        heights = [moved(rows, part.taps[0]) for rows in spans(taps, height)]
        yield [Chunk(rows, some) for some in slices for rows in heights]


def cost(plan: Plan, emitter: Emitter) -> float:
    """Estimate the cycles of a plan; only to choose between plans."""
    pass_, words = plan.pass_, size(plan.blocks[0])
    positions = sum(plan.positions(tile) for tile in plan.tiles)
    scalars = sum(
        max(plan.region(tile, chunk).size, SHORTEST_BURST)
        for tile in plan.tiles
        for chunk in plan.chunks
    )
    shape = pass_.deltas.shape
    # Whole positions follow each other without a gap.
    row = shape.columns * (words if words == shape.words else max(words, SHORTEST_BURST))
    vectors = pass_.deltas.samples * shape.rows * max(row, SHORTEST_BURST) * plan.at_once
    if positions > emitter.vector.whole:
        vectors *= len(plan.chunks)
    loads = (scalars + vectors) * len(plan.blocks)
    results = sum(plan.results(chunk) for chunk in plan.chunks)
    groups = words * plan.at_once
    rounds = sum(max(plan.positions(tile), groups) for tile in plan.tiles)
    products = rounds * results * len(plan.blocks)
    macs = len(plan.tiles) * len(plan.chunks) * len(plan.blocks)
    return max(loads, products) + 0.1 * loads + MAC_OVERHEAD * macs
