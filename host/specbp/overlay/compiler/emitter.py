"""Collects the descriptors of a program, and knows what the buffers hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.compiler.moves import parts
from specbp.overlay.compiler.ring import Ring
from specbp.overlay.compiler.shapes import FeatureMap
from specbp.overlay.compiler.splitting import Span, frame, size
from specbp.overlay.instructions import Buffer, Descriptor, Fill, Load, Move, Store
from specbp.overlay.parameters import Parameters

ONE = 1 << 14
"""The constant 1 that a bias gradient takes for the layer input."""
ONE_WORD = 0
"""Where in the scalar buffer it lies."""
UNKNOWN = 1 << 20
"""Content of a word that is no constant."""


@dataclass(frozen=True)
class Tag:
    """What a descriptor is part of.

    Attributes:
        layer: name of the layer.
        work: which pass.
        tile: samples, rows, channels: what of it.
    """

    layer: str
    work: str
    tile: str = ""

    @property
    def of_pass(self) -> tuple[str, str]:
        """Layer and work, which all tiles of a pass share."""
        return self.layer, self.work


@dataclass(frozen=True)
class Tagged:
    """A descriptor and what it is part of."""

    descriptor: Descriptor
    tag: Tag


@dataclass(frozen=True)
class SkipEnd:
    """Ends what the last Skip may skip; becomes a barrier."""


@dataclass(frozen=True)
class Region:
    """Part of a feature map with its surroundings: what lies outside the map is padding.

    Attributes:
        samples: samples of the batch.
        rows: may begin below 0 and end beyond the map.
        columns: number of columns of positions.
        words: words of each position.
    """

    samples: Span
    rows: Span
    columns: Span
    words: Span

    @property
    def size(self) -> int:
        """Words in a buffer."""
        return size(self.samples) * self.sample

    @property
    def position(self) -> int:
        """Words from a position to the next."""
        return size(self.words)

    @property
    def row(self) -> int:
        """Words from a row to the next."""
        return size(self.columns) * self.position

    @property
    def sample(self) -> int:
        """Words from a sample to the next."""
        return size(self.rows) * self.row


class Emitter:
    """A program in the making.

    Args:
        parameters: parameters of the overlay.

    Attributes:
        parameters: parameters of the overlay.
        scalar: room in the scalar buffer, words.
        vector: room in the vector buffer, rows.
        bias: room in the bias buffer, rows.
        output: room in the output buffer, words.
        program: the descriptors so far, not ordered yet.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.scalar = Ring(parameters.scalar_words, first=ONE_WORD + 1)
        self.vector = Ring(parameters.vector_rows)
        self.bias = Ring(parameters.bias_rows)
        self.output = Ring(parameters.output_words)
        self.program: list[Tagged | SkipEnd] = []
        self._constant = np.full(parameters.scalar_words, UNKNOWN, np.int64)
        self._tag = Tag("", "")

    @property
    def groups(self) -> int:
        """Fours of lanes."""
        return self.parameters.groups

    def begin(self, layer: str, work: str) -> None:
        """Start a pass."""
        self._tag = Tag(layer, work)

    def at(self, tile: str) -> None:
        """Say what the next descriptors are for."""
        self._tag = replace(self._tag, tile=tile)

    def emit(self, descriptor: Descriptor) -> None:
        """Append `descriptor`."""
        self.program.append(Tagged(descriptor, self._tag))

    def forget(self) -> None:
        """Take nothing for still there in the buffers: what was emitted may be skipped."""
        for ring in (self.scalar, self.vector, self.bias, self.output):
            ring.forget()
        self._constant[:] = UNKNOWN

    def load(
        self, address: int, buffer: Buffer, base: int, run: int, moves: Sequence[Move] = ()
    ) -> None:
        """Load a pattern of any depth."""
        for part in parts(run, moves):
            start = base + part.buffer
            self.emit(Load(address + part.memory, buffer, start, part.run, part.moves))
            if buffer == Buffer.SCALAR:
                self._constant[_places(start, part.run, part.moves)] = UNKNOWN

    def store(self, address: int, base: int, run: int, moves: Sequence[Move] = ()) -> None:
        """Store a pattern of any depth."""
        for part in parts(run, moves):
            self.emit(Store(address + part.memory, base + part.buffer, part.run, part.moves))

    def fill(self, value: int, base: int, run: int, moves: Sequence[Move] = ()) -> None:
        """Make words of the scalar buffer constant, where they are not that already."""
        for part in parts(run, moves):
            places = _places(base + part.buffer, part.run, part.moves)
            if (self._constant[places] != value).any():
                self.emit(Fill(value, Buffer.SCALAR, base + part.buffer, part.run, part.moves))
                self._constant[places] = value

    def load_region(self, source: FeatureMap, region: Region, base: int, padding: int = 0) -> None:
        """Load part of a feature map to word `base` of the scalar buffer, padding around it.

        Args:
            source: the map.
            region: what of it; in the buffer it is [sample][row][column][word].
            base: first word.
            padding: the value outside the map.
        """
        shape = source.shape
        rows, columns = _inside(region.rows, shape.rows), _inside(region.columns, shape.columns)
        samples = Move(size(region.samples), 0, region.sample)
        grid = size(region.rows), size(region.columns)
        for strip_rows, strip_columns in frame(grid, rows, columns):
            start = base + strip_rows[0] * region.row + strip_columns[0] * region.position
            moves = [Move(size(strip_rows), 0, region.row), samples]
            self.fill(padding, start, size(strip_columns) * region.position, moves)
        if not size(rows) or not size(columns):
            return
        self.load(
            source.at(
                region.samples[0],
                max(region.rows[0], 0),
                max(region.columns[0], 0),
                region.words[0],
            ),
            Buffer.SCALAR,
            base + rows[0] * region.row + columns[0] * region.position,
            region.position,
            [
                Move(size(columns), source.position_bytes, region.position),
                Move(size(rows), source.row_bytes, region.row),
                source.moves(region.samples[0], size(region.samples), region.sample),
            ],
        )

    def region_at(self, source: FeatureMap, region: Region, padding: int = 0) -> int:
        """Return where in the scalar buffer `region` lies; load it where it does not yet."""
        (base,) = self.regions_at((source,), region, padding)
        return base

    def regions_at(
        self, sources: tuple[FeatureMap, ...], region: Region, padding: int = 0
    ) -> list[int]:
        """Return where the same region of several maps lies, all there at the same time."""
        key = (sources, region, padding)
        first = self.scalar.find(key)
        if first is not None:
            return [first + place * region.size for place in range(len(sources))]
        first = self.scalar.take(len(sources) * region.size, key)
        bases = [first + place * region.size for place in range(len(sources))]
        for source, base in zip(sources, bases, strict=True):
            self.load_region(source, region, base, padding)
        return bases


def _inside(span: Span, total: int) -> Span:
    """Return which of `span`, counted from its first, lie in 0..total."""
    count = size(span)
    before = min(max(-span[0], 0), count)
    return before, max(min(total - span[0], count), before)


def _places(base: int, run: int, moves: Sequence[Move]) -> NDArray[np.int64]:
    places = np.arange(base, base + run)
    for move in moves:
        places = (np.arange(move.count)[:, None] * move.buffer + places).ravel()
    return places
