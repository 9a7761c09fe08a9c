"""Pooling, its gradients, and masks: what works on the words of the scalar buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specbp.errors import UsageError
from specbp.overlay.compiler.emitter import Emitter, Region
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.phases import Phase, phases
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Shape, Window
from specbp.overlay.compiler.splitting import Span, Tile, size, spans, tiles, told
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Buffer, Loop, Loops, Mask, Maximum, Move, Select, Total
from specbp.overlay.instructions.loops import MOST_LOOP

NEVER_LARGEST = -(2**15)
"""Padding of a max pooling: below every activation, which saturate at ±32767."""


@dataclass(frozen=True)
class _Cut:
    """How a pass is cut up: tiles, each in slices of channel words."""

    tiles: list[Tile]
    slices: list[Span]


def emit_maximum(
    emitter: Emitter,
    layer: str,
    window: Window,
    source: FeatureMap,
    target: FeatureMap,
    choices: FeatureMap,
) -> None:
    """Emit a max pooling; `choices` becomes the tap, row by row, where each largest was found."""

    def region(tile: Tile, words: Span) -> Region:
        return _under(window, target, tile, words)

    emitter.begin(layer, "forward")
    cut = _cut(emitter, layer, "forward", target, region, inputs=1, outputs=2)
    for tile, words in _pieces(emitter, cut):
        part = region(tile, words)
        base = emitter.region_at(source, part, NEVER_LARGEST)
        count = _results(target, tile, words)
        result = emitter.output.take(2 * count)
        emitter.emit(
            Maximum(
                base,
                (
                    Loop(window.kernel[1], part.position, t=1),
                    Loop(window.kernel[0], part.row, t=window.kernel[1]),
                ),
                _sliding(window, target, tile, part),
                result,
                result + count,
            )
        )
        _store(emitter, target, tile, words, result)
        _store(emitter, choices, tile, words, result + count)


def emit_average(
    emitter: Emitter,
    layer: str,
    window: Window,
    source: FeatureMap,
    target: FeatureMap,
    shift: int,
) -> None:
    """Emit an average pooling."""

    def region(tile: Tile, words: Span) -> Region:
        return _under(window, target, tile, words)

    emitter.begin(layer, "forward")
    cut = _cut(emitter, layer, "forward", target, region, inputs=1, outputs=1)
    for tile, words in _pieces(emitter, cut):
        part = region(tile, words)
        base = emitter.region_at(source, part)
        result = emitter.output.take(_results(target, tile, words))
        emitter.emit(
            Total(
                base,
                (
                    Loop(window.kernel[1], part.position),
                    Loop(window.kernel[0], part.row),
                ),
                _sliding(window, target, tile, part),
                result,
                shift,
            )
        )
        _store(emitter, target, tile, words, result)


def emit_unpooling(
    emitter: Emitter,
    layer: str,
    window: Window,
    deltas: FeatureMap,
    choices: FeatureMap | None,
    target: FeatureMap,
    shift: int,
) -> None:
    """Emit the input gradient of a pooling.

    For each phase of the stride, every input position sums up what the windows on it hand down:
    all of it in an average pooling, in a max pooling what they chose this position for.

    Args:
        emitter: takes the descriptors.
        layer: name of the layer.
        window: window of the pooling.
        deltas: at its output.
        choices: choices of a max pooling; None for an average pooling.
        target: the gradient at its input.
        shift: bits dropped from the sums of an average pooling.
    """
    work = "input gradient"
    vertical = [one for one in phases(window, 0, target.shape.rows) if one.taps]
    horizontal = [one for one in phases(window, 1, target.shape.columns) if one.taps]
    if not vertical or not horizontal:
        return
    grid = _grid(vertical), _grid(horizontal)

    def region(tile: Tile, words: Span) -> Region:
        """Return the windows on all phases of a tile, whose rows count those of a phase."""
        top, bottom = _reach(vertical, tile.rows)
        left, right = _reach(horizontal, (0, grid[1]))
        return Region(tile.samples, (top, bottom), (left, right), words)

    maps = (deltas,) if choices is None else (deltas, choices)
    largest = FeatureMap(target.address, target.samples, _with_grid(target, grid))
    emitter.begin(layer, work)
    cut = _cut(emitter, layer, work, largest, region, len(maps), outputs=1)
    for tile, words in _pieces(emitter, cut):
        part = region(tile, words)
        base, *chosen = emitter.regions_at(maps, part)
        for down in vertical:
            rows = tile.rows[0], min(tile.rows[1], down.count)
            for right in horizontal:
                if size(rows) > 0:
                    _emit_phase(
                        emitter, window, part, tile, words, rows, down, right,
                        base, chosen, target, shift,
                    )  # fmt: skip


def _emit_phase(
    emitter: Emitter,
    window: Window,
    part: Region,
    tile: Tile,
    words: Span,
    rows: Span,
    down: Phase,
    right: Phase,
    base: int,
    chosen: list[int],
    target: FeatureMap,
    shift: int,
) -> None:
    width = window.kernel[1]
    offset = (down.start + rows[0] - part.rows[0]) * part.row
    offset += (right.start - part.columns[0]) * part.position
    results = _loops(
        (size(words), 1),
        (right.count, part.position),
        (size(rows), part.row),
        (size(tile.samples), part.sample),
    )
    reducing = (
        Loop(right.taps, part.position, part.position, -right.step),
        Loop(down.taps, part.row, part.row, -down.step * width),
    )
    count = size(words) * right.count * size(rows) * size(tile.samples)
    result = emitter.output.take(count)
    if not chosen:
        sums = tuple(Loop(loop.count, loop.a) for loop in reducing)
        emitter.emit(Total(base + offset, sums, results, result, shift))
    else:
        tap = down.tap(0) * width + right.tap(0)
        emitter.emit(Select(base + offset, chosen[0] + offset, reducing, results, result, tap))
    emitter.store(
        target.at(tile.samples[0], down.first + rows[0] * down.step, right.first, words[0]),
        result,
        size(words),
        [
            Move(right.count, right.step * target.position_bytes, size(words)),
            Move(size(rows), down.step * target.row_bytes, size(words) * right.count),
            target.moves(
                tile.samples[0], size(tile.samples), size(words) * right.count * size(rows)
            ),
        ],
    )


def emit_mask(
    emitter: Emitter,
    layer: str,
    work: str,
    signs: FeatureMap,
    values: FeatureMap,
    target: FeatureMap,
) -> None:
    """Emit `values` where `signs` are positive, else 0; ReLU where the two are the same map."""
    emitter.begin(layer, work)
    same = signs == values
    most = min(emitter.scalar.half // (1 if same else 2), emitter.output.half, MOST_LOOP)
    words = target.sample_bytes // WORD_BYTES
    # Some samples whole, or parts of one.
    at_once = max(most // words, 1)
    for first, end in spans(target.samples, at_once):
        for low, high in spans(words, most):
            emitter.at(f"samples {first}..{end - 1} words {low}..{high - 1}")
            run, samples = high - low, end - first
            count = run * samples
            a = emitter.scalar.take(count if same else 2 * count)
            b = a if same else a + count

            address, moves = _picked(signs, (first, end), (low, high))
            emitter.load(address, Buffer.SCALAR, a, run, moves)
            if not same:
                address, moves = _picked(values, (first, end), (low, high))
                emitter.load(address, Buffer.SCALAR, b, run, moves)
            result = emitter.output.take(count)
            emitter.emit(Mask(a, b, (Loop(count, 1, 1),), result))
            address, moves = _picked(target, (first, end), (low, high))
            emitter.store(address, result, run, moves)


def emit_copy(
    emitter: Emitter, layer: str, work: str, source: FeatureMap, target: FeatureMap
) -> None:
    """Emit a copy of maps of one position."""
    emitter.begin(layer, work)
    words = target.shape.words
    for first, end in spans(target.samples, min(emitter.scalar.half, emitter.output.half) // words):
        count = (end - first) * words
        base, result = emitter.scalar.take(count), emitter.output.take(count)
        address, moves = _picked(source, (first, end), (0, words))
        emitter.load(address, Buffer.SCALAR, base, words, moves)
        emitter.emit(Total(base, (), (Loop(count, 1),), result, 0))
        address, moves = _picked(target, (first, end), (0, words))
        emitter.store(address, result, words, moves)


def _picked(map_: FeatureMap, samples: Span, words: Span) -> tuple[int, list[Move]]:
    """Return where some words of some samples begin, and the move over the samples."""
    address = map_.at(samples[0], 0, 0) + words[0] * WORD_BYTES
    return address, [map_.moves(samples[0], size(samples), size(words))]


def _under(window: Window, target: FeatureMap, tile: Tile, words: Span) -> Region:
    """Return what of the input lies under the windows of a tile."""
    top = tile.rows[0] * window.stride[0] - window.padding[0]
    height = (size(tile.rows) - 1) * window.stride[0] + window.kernel[0]
    width = (target.shape.columns - 1) * window.stride[1] + window.kernel[1]
    left = -window.padding[1]
    return Region(tile.samples, (top, top + height), (left, left + width), words)


def _sliding(window: Window, target: FeatureMap, tile: Tile, part: Region) -> Loops:
    return _loops(
        (part.position, 1),
        (target.shape.columns, window.stride[1] * part.position),
        (size(tile.rows), window.stride[0] * part.row),
        (size(tile.samples), part.sample),
    )


def _loops(*pairs: tuple[int, int]) -> Loops:
    """Return loops in which A and B have the same strides."""
    return tuple(Loop(count, stride, stride) for count, stride in pairs)


def _results(target: FeatureMap, tile: Tile, words: Span) -> int:
    return size(tile.samples) * size(tile.rows) * target.shape.columns * size(words)


def _store(emitter: Emitter, target: FeatureMap, tile: Tile, words: Span, result: int) -> None:
    row = target.shape.columns * size(words)
    emitter.store(
        target.at(tile.samples[0], tile.rows[0], 0, words[0]),
        result,
        size(words),
        [
            Move(target.shape.columns, target.position_bytes, size(words)),
            Move(size(tile.rows), target.row_bytes, row),
            target.moves(tile.samples[0], size(tile.samples), row * size(tile.rows)),
        ],
    )


def _pieces(emitter: Emitter, cut: _Cut) -> Iterator[tuple[Tile, Span]]:
    for tile in cut.tiles:
        for words in cut.slices:
            emitter.at(
                f"samples {told(tile.samples)} rows {told(tile.rows)} "
                f"channels {PER_WORD * words[0]}..{PER_WORD * words[1] - 1}"
            )
            yield tile, words


def _cut(
    emitter: Emitter,
    layer: str,
    work: str,
    target: FeatureMap,
    region: Callable[[Tile, Span], Region],
    inputs: int,
    outputs: int,
) -> _Cut:
    """Cut a pass so that `inputs` regions and `outputs` results fit, with slices as wide as can be.

    Raises:
        UsageError: not even one row of four channels fits.
    """
    words = target.shape.words

    def needed(tile: Tile, some: Span) -> tuple[int, int]:
        return inputs * region(tile, some).size, outputs * _results(target, tile, some)

    for width in range(words, 0, -1):

        def fits(samples: int, rows: int, width: int = width) -> bool:
            scalars, results = needed(Tile((0, samples), (0, rows)), (0, width))
            return scalars <= emitter.scalar.half and results <= emitter.output.half

        cut = tiles(target.samples, target.shape.rows, fits)
        if cut is not None:
            return _Cut(cut, spans(words, width))
    scalars, results = needed(Tile((0, 1), (0, 1)), (0, 1))
    raise _refused(emitter, layer, work, scalars, results)


def _refused(emitter: Emitter, layer: str, work: str, scalars: int, results: int) -> UsageError:
    return too_large(
        layer,
        work,
        (
            (scalars, emitter.scalar.half, "words of the scalar buffer, for one row of results"),
            (results, emitter.output.half, "words of the output buffer, for one row of results"),
        ),
    )


def _grid(all_phases: list[Phase]) -> int:
    """Return the positions of the longest phase."""
    return max(one.count for one in all_phases)


def _with_grid(target: FeatureMap, grid: tuple[int, int]) -> Shape:
    return Shape(target.shape.channels, *grid)


def _reach(all_phases: list[Phase], positions: Span) -> Span:
    """Return the windows on some positions of every phase."""
    first = min(one.start for one in all_phases) + positions[0]
    end = max(one.start + one.taps for one in all_phases) + positions[1] - 1
    return first, end
