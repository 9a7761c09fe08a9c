"""Cutting ranges into pieces of nearly equal size, and grids into boxes and what is around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specbp.network import Pair

Span = tuple[int, int]
"""First, and one past the last."""


def spans(total: int, most: int, multiple: int = 1) -> list[Span]:
    """Cut 0..total into as few pieces of at most `most` as possible, of nearly equal size.

    Args:
        total: at least 1.
        most: at least `multiple`.
        multiple: all pieces but the last have a size that is one.
    """
    pieces = -(-total // (most // multiple * multiple))
    size = -(-total // (pieces * multiple)) * multiple
    return [(first, min(first + size, total)) for first in range(0, total, size)]


def size(span: Span) -> int:
    """Return how many are in `span`."""
    return span[1] - span[0]


def told(span: Span) -> str:
    """Return `span` in words."""
    return f"{span[0]}..{span[1] - 1}"


@dataclass(frozen=True)
class Tile:
    """Some rows of some samples.

    Attributes:
        samples: samples of the batch.
        rows: rows of the result.
    """

    samples: Span
    rows: Span


def tiles(samples: int, rows: int, fits: Callable[[int, int], bool]) -> list[Tile] | None:
    """Cut a batch into tiles as large as `fits` allows, strips before samples.

    Tiles with the same rows follow each other, so that their padding is the same.

    Args:
        samples: samples of the batch.
        rows: rows of the result.
        fits: whether so many samples and rows fit; monotone.

    Returns:
        The tiles; None where not even one row of one sample fits.
    """
    if not fits(1, 1):
        return None
    most_rows = _most(rows, lambda count: fits(1, count))
    strips = spans(rows, most_rows)
    height = size(strips[0])
    most_samples = _most(samples, lambda count: fits(count, height))
    return [Tile(one, strip) for strip in strips for one in spans(samples, most_samples)]


def _most(total: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `total` that fits; 1 does."""
    low, high = 1, total
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def boxes(counts: tuple[int, int, int], most: int) -> Iterator[tuple[Span, Span, Span]]:
    """Cut three nested ranges, slowest first, into consecutive boxes of at most `most` in all."""
    slow, middle, fast = counts
    if middle * fast <= most:
        for one in spans(slow, most // (middle * fast)):
            yield one, (0, middle), (0, fast)
    elif fast <= most:
        for first in range(slow):
            for one in spans(middle, most // fast):
                yield (first, first + 1), one, (0, fast)
    else:
        for first in range(slow):
            for second in range(middle):
                for one in spans(fast, most):
                    yield (first, first + 1), (second, second + 1), one


def grids(most: int, high: int, wide: int) -> list[Pair]:
    """Return all grids, (rows, columns), of at most `most` places, `high` rows and `wide` columns.

    The smallest come first.
    """
    return [
        (rows, columns)
        for rows in range(1, min(most, high) + 1)
        for columns in range(1, min(most // rows, wide) + 1)
    ]


def places(grid: Pair) -> list[Pair]:
    """Return the places, (row, column), of what is side by side, in the order of the lanes."""
    return [(row, column) for row in range(grid[0]) for column in range(grid[1])]


def frame(grid: Pair, rows: Span, columns: Span) -> Iterator[tuple[Span, Span]]:
    """Yield the rows and columns of a grid's strips around a box in it: above, below, beside it."""
    high, wide = grid
    strips: tuple[tuple[Span, Span], ...] = (
        ((0, rows[0]), (0, wide)),
        ((rows[1], high), (0, wide)),
        (rows, (0, columns[0])),
        (rows, (columns[1], wide)),
    )
    for strip in strips:
        if size(strip[0]) and size(strip[1]):
            yield strip
