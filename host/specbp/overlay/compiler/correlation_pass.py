"""What a sum of products over windows is, before anybody cuts it up for the buffers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specbp.network import Pair
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.shapes import FeatureMap, taps_met
from specbp.overlay.compiler.splitting import Span


@dataclass(frozen=True)
class Chunk:
    """Part of what is summed.

    Attributes:
        taps: rows of the kernel.
        channels: channels of the source; begins at a multiple of four.
    """

    taps: Span
    channels: Span


@dataclass(frozen=True)
class Rows:
    """Where the rows of a chunk go.

    Attributes:
        word: word of the vector buffer with the first channel of the first tap.
        columns: taps in a row of the kernel, as they lie in the buffer.
    """

    word: int
    columns: int


@dataclass(frozen=True)
class Target:
    """Where results go: a grid of positions in memory.

    Attributes:
        address: address of the first word of the first position.
        rows: number of rows of positions.
        columns: number of columns of positions.
        sample_bytes: from a sample to the next.
        row_bytes: from a row to the next.
        column_bytes: from a position to the next in its row.
        words: words of a position.
        table: first entry of the index table of the samples; None where there is none.
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
        address: address of the int32 values.
        left: bits by which they are shifted left.
    """

    address: int
    left: int


@dataclass(frozen=True)
class Correlation:
    """A pass.

    Attributes:
        layer: name of the layer.
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
        neighbours: rows and columns of the target that share the lanes, side by side: together
            they are one result.
    """

    layer: str
    work: str
    source: FeatureMap
    start: Pair
    stride: Pair
    taps: Pair
    target: Target
    load_vectors: Callable[[Emitter, Chunk, Span, Rows], None]
    pitch: Callable[[int], int]
    bias: Bias | None
    shift: int
    relu: bool
    neighbours: Pair = (1, 1)

    @property
    def results(self) -> Pair:
        """Rows and columns of results; the last may reach beyond the target."""
        rows, columns = self.neighbours
        return -(-self.target.rows // rows), -(-self.target.columns // columns)

    @property
    def words(self) -> int:
        """Words of a result."""
        return self.target.words * self.positions

    @property
    def positions(self) -> int:
        """Positions of a result."""
        return self.neighbours[0] * self.neighbours[1]

    def taps_met(self, dimension: int, result: int) -> Span:
        """Return the taps of a result that lie on the source, not on the padding around it.

        Args:
            dimension: 0 for rows, 1 for columns.
            result: row or column of the result.
        """
        shape = self.source.shape
        first = self.start[dimension] + result * self.stride[dimension]
        return taps_met(first, self.taps[dimension], (shape.rows, shape.columns)[dimension])
