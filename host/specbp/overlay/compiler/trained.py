"""Forward and input gradient of layers with weights, as correlations."""

from __future__ import annotations

from collections.abc import Iterator

from specbp.overlay.compiler.correlation_pass import Bias, Chunk, Correlation, Rows, Target
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.moves import parts
from specbp.overlay.compiler.phases import Phase, phases
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Trained, Window, words_of
from specbp.overlay.compiler.splitting import Span, size
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Buffer, LoadTransposed, Move
from specbp.overlay.instructions.move import MOST_TRANSPOSED_RUN


def forward(
    layer: str,
    trained: Trained,
    window: Window,
    source: FeatureMap,
    target: FeatureMap,
    left: int,
    shift: int,
    relu: bool,
) -> Correlation:
    """Return the pass: lanes hold output channels, the rows are weights as they lie in memory."""

    def load_vectors(emitter: Emitter, chunk: Chunk, block: Span, rows: Rows) -> None:
        row, groups = emitter.groups, size(block)
        channels = size(chunk.channels)
        emitter.load(
            trained.at(chunk.taps[0], 0, chunk.channels[0], block[0]),
            Buffer.VECTOR,
            rows.word,
            groups,
            [
                Move(channels, trained.input_bytes, row),
                Move(window.kernel[1], trained.column_bytes, channels * row),
                Move(size(chunk.taps), trained.row_bytes, channels * rows.columns * row),
            ],
        )

    return Correlation(
        layer,
        "forward",
        source,
        (-window.padding[0], -window.padding[1]),
        window.stride,
        window.kernel,
        whole(target),
        load_vectors,
        lambda channels: channels,
        Bias(trained.bias_state[0], left),
        shift,
        relu,
    )


def input_gradient(
    layer: str,
    trained: Trained,
    window: Window,
    source: FeatureMap,
    target: FeatureMap,
    shift: int,
) -> Iterator[Correlation]:
    """Yield a pass for each phase of the stride: lanes hold input channels.

    Rows of the vector buffer are output channels, so weights are loaded transposed. Results on
    which no window lies stay zero, as they are from the start.
    """
    for vertical in phases(window, 0, target.shape.rows):
        for horizontal in phases(window, 1, target.shape.columns):
            if vertical.taps and horizontal.taps:
                yield _phase(layer, trained, source, target, shift, vertical, horizontal)


def _phase(
    layer: str,
    trained: Trained,
    source: FeatureMap,
    target: FeatureMap,
    shift: int,
    vertical: Phase,
    horizontal: Phase,
) -> Correlation:
    def load_vectors(emitter: Emitter, chunk: Chunk, block: Span, rows: Rows) -> None:
        row = emitter.groups
        words = words_of(size(chunk.channels))
        pitch = words * PER_WORD
        for offset, run, repeats in _runs(words):
            start = (chunk.channels[0] // PER_WORD + offset) * WORD_BYTES
            address = start + trained.at(
                vertical.tap(chunk.taps[0]), horizontal.tap(0), PER_WORD * block[0], 0
            )
            moves = [
                Move(repeats, run * WORD_BYTES, PER_WORD * run * row),
                Move(size(block), PER_WORD * trained.input_bytes, 1),
                Move(horizontal.taps, -horizontal.step * trained.column_bytes, pitch * row),
                Move(
                    size(chunk.taps),
                    -vertical.step * trained.row_bytes,
                    pitch * rows.columns * row,
                ),
            ]
            for part in parts(run, moves, merge_run=False):
                base = rows.word + PER_WORD * offset * row + part.buffer
                emitter.emit(
                    LoadTransposed(
                        address + part.memory, base, run, trained.input_bytes, part.moves
                    )
                )

    return Correlation(
        layer,
        "input gradient",
        source,
        (vertical.start, horizontal.start),
        (1, 1),
        (vertical.taps, horizontal.taps),
        Target(
            target.at(0, vertical.first, horizontal.first),
            vertical.count,
            horizontal.count,
            target.sample_bytes,
            target.row_bytes * vertical.step,
            target.position_bytes * horizontal.step,
            target.shape.words,
            target.table,
        ),
        load_vectors,
        lambda channels: words_of(channels) * PER_WORD,
        None,
        shift,
        relu=False,
    )


def whole(target: FeatureMap) -> Target:
    """Return all of a map as a target."""
    return Target(
        target.address,
        target.shape.rows,
        target.shape.columns,
        target.sample_bytes,
        target.row_bytes,
        target.position_bytes,
        target.shape.words,
        target.table,
    )


def _runs(words: int) -> Iterator[tuple[int, int, int]]:
    """Cut a row of words into (offset, run, repeats), with runs that LOAD_TRANSPOSED takes."""
    repeats, rest = divmod(words, MOST_TRANSPOSED_RUN)
    if repeats:
        yield 0, MOST_TRANSPOSED_RUN, repeats
    if rest:
        yield repeats * MOST_TRANSPOSED_RUN, rest, 1
