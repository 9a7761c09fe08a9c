"""How a sum of products over windows is cut up, so that it fits the buffers and takes least time.

Rows of the vector buffer that do not fit its half are taken in chunks, and sums wait in the partial
buffer. Results at the border of the source meet padding with some of their taps: cut into pieces
of their own, they leave those taps out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, product

from specbp.overlay.compiler.correlation_pass import Chunk, Correlation
from specbp.overlay.compiler.emitter import Emitter, Region
from specbp.overlay.compiler.shapes import PER_WORD, words_of
from specbp.overlay.compiler.splitting import Span, size, spans, tiles
from specbp.overlay.compiler.work import MAC_OVERHEAD
from specbp.overlay.instructions.strides import SHORTEST_BURST


@dataclass(frozen=True)
class Piece:
    """Part of the results, and the taps that they meet.

    Attributes:
        samples: samples of the batch.
        rows: rows of results.
        columns: columns of results.
        taps: rows of the kernel.
        tap_columns: columns of the kernel.
    """

    samples: Span
    rows: Span
    columns: Span
    taps: Span
    tap_columns: Span

    @property
    def results(self) -> int:
        """How many results it has."""
        return size(self.samples) * size(self.rows) * size(self.columns)

    @property
    def products(self) -> int:
        """Taps that its results meet, for each channel of the source."""
        return self.results * size(self.taps) * size(self.tap_columns)


@dataclass(frozen=True)
class Plan:
    """How a pass is cut up.

    Attributes:
        pass_: kind of the pass.
        chunks: chunks of the sum.
        pieces: pieces of the results.
        blocks: words of the results' channels, as many as there are lanes.
        sliced: whether a piece's source holds a chunk's channels only.
        together: how many pieces meet a chunk before the next chunk comes.
    """

    pass_: Correlation
    chunks: list[Chunk]
    pieces: list[Piece]
    blocks: list[Span]
    sliced: bool
    together: int

    @property
    def largest(self) -> int:
        """Results of the largest piece."""
        return max(piece.results for piece in self.pieces)


def vector_rows(pass_: Correlation, chunk: Chunk) -> int:
    """Return the rows of the vector buffer that a chunk takes."""
    return size(chunk.taps) * pass_.taps[1] * pass_.pitch(size(chunk.channels))


def region(pass_: Correlation, piece: Piece, channels: Span) -> Region:
    """Return what of the source a piece needs, of some of its channels."""

    def reach(dimension: int, results: Span, taps: Span) -> Span:
        start, stride = pass_.start[dimension], pass_.stride[dimension]
        return start + results[0] * stride + taps[0], start + (results[1] - 1) * stride + taps[1]

    return Region(
        piece.samples,
        reach(0, piece.rows, piece.taps),
        reach(1, piece.columns, piece.tap_columns),
        (channels[0] // PER_WORD, words_of(channels[1])),
    )


def plans(emitter: Emitter, pass_: Correlation) -> Iterator[Plan]:
    """Yield ways to cut `pass_` that fit the buffers."""
    chunks = _chunks(pass_, emitter.vector.half)
    if chunks is None:
        return
    blocks = spans(pass_.words, emitter.groups)
    groups = size(blocks[0])
    for sliced, (rows, columns) in product((False, True), _strips_of_both(pass_, chunks)):
        channels = chunks[0].channels if sliced else (0, pass_.source.shape.channels)

        def fits(piece: Piece, channels: Span = channels) -> bool:
            results = piece.results * groups
            return (
                region(pass_, piece, channels).size <= emitter.scalar.half
                and results <= emitter.output.half
                and (len(chunks) == 1 or results <= emitter.parameters.partial_rows)
            )

        pieces: list[Piece] = []
        for corner in product(rows, columns):
            cut = _pieces(pass_, *corner, fits)
            if cut is None:
                break
            pieces += cut
        else:
            plan = Plan(pass_, chunks, pieces, blocks, sliced, len(pieces))
            if len(chunks) > 1:
                room = emitter.parameters.partial_rows // (plan.largest * groups)
                plan = replace(plan, together=min(len(pieces), room))
            yield plan


@dataclass(frozen=True)
class _Strip:
    """Results along a dimension, and the taps that they meet."""

    results: Span
    taps: Span


def _strips_of_both(
    pass_: Correlation, chunks: list[Chunk]
) -> Iterator[tuple[list[_Strip], list[_Strip]]]:
    """Yield ways to cut rows and columns of results by the taps that they meet, or not to."""
    whole_rows = all(size(chunk.taps) == pass_.taps[0] for chunk in chunks)
    yield from product(_strips(pass_, 0, whole_rows), _strips(pass_, 1, True))


def _strips(pass_: Correlation, dimension: int, may_cut: bool) -> Iterator[list[_Strip]]:
    count = pass_.results[dimension]
    whole = [_Strip((0, count), (0, pass_.taps[dimension]))]
    yield whole
    cut = []
    for taps, results in groupby(range(count), lambda one: pass_.taps_met(dimension, one)):
        first, *others = results
        cut.append(_Strip((first, first + 1 + len(others)), taps))
    if may_cut and cut != whole and all(size(strip.taps) > 0 for strip in cut):
        yield cut


def _pieces(
    pass_: Correlation, rows: _Strip, columns: _Strip, fits: Callable[[Piece], bool]
) -> list[Piece] | None:
    """Cut the results of a strip of rows and a strip of columns; None where nothing fits."""

    def piece(samples: Span, results: Span) -> Piece:
        first = rows.results[0]
        moved = first + results[0], first + results[1]
        return Piece(samples, moved, columns.results, rows.taps, columns.taps)

    cut = tiles(
        pass_.source.samples,
        size(rows.results),
        lambda samples, count: fits(piece((0, samples), (0, count))),
    )
    return None if cut is None else [piece(tile.samples, tile.rows) for tile in cut]


def _chunks(pass_: Correlation, most: int) -> list[Chunk] | None:
    """Cut what is summed into at most `most` rows each; None where even the least is more."""
    channels, (taps, columns) = pass_.source.shape.channels, pass_.taps
    whole = Chunk((0, taps), (0, channels))
    if vector_rows(pass_, whole) <= most:
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


def cost(plan: Plan, emitter: Emitter) -> float:
    """Estimate the cycles of a plan; only to choose between plans."""
    pass_ = plan.pass_
    rows = len(plan.blocks) * sum(vector_rows(pass_, chunk) for chunk in plan.chunks)
    vectors = rows * max(size(plan.blocks[0]), SHORTEST_BURST)
    fetched = [chunk.channels for chunk in plan.chunks]
    if not plan.sliced:
        fetched = [(0, pass_.source.shape.channels)]
    scalars = sum(region(pass_, piece, some).size for piece in plan.pieces for some in fetched)
    if plan.sliced:
        if len(plan.chunks) > 1 or scalars > emitter.scalar.whole:
            scalars *= len(plan.blocks)
        rounds = -(-len(plan.pieces) // plan.together)
    else:
        rounds = len(plan.pieces)
    if rows > emitter.vector.whole:
        vectors *= rounds
    macs = len(plan.pieces) * len(plan.chunks) * len(plan.blocks)
    products = sum(piece.products for piece in plan.pieces)
    products *= pass_.source.shape.channels * len(plan.blocks)
    loads = scalars + vectors
    return max(loads, products) + 0.1 * loads + MAC_OVERHEAD * macs
