"""Ranges cut into pieces."""

import math

from hypothesis import given
from hypothesis import strategies as st

from specbp.overlay.compiler.splitting import boxes, size, spans, tiles

COUNTS = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 40))


@given(st.integers(1, 500), st.integers(1, 200), st.sampled_from([1, 4, 8]))
def test_spans_cover_all_once_and_none_is_too_large(total, most, multiple):
    most = max(most, multiple)
    found = spans(total, most, multiple)
    assert [place for span in found for place in range(*span)] == list(range(total))
    assert all(0 < size(span) <= most for span in found)
    assert all(span[0] % multiple == 0 for span in found)


def test_pieces_are_nearly_equal():
    assert spans(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert spans(9, 8) == [(0, 5), (5, 9)]
    assert spans(20, 15, 8) == [(0, 8), (8, 16), (16, 20)]


@given(COUNTS, st.integers(1, 300))
def test_boxes_are_consecutive_and_small_enough(counts, most):
    def places(box):
        (a, b, c), (_, middle, fast) = box, counts
        return [
            (one * middle + two) * fast + three
            for one in range(*a)
            for two in range(*b)
            for three in range(*c)
        ]

    found = list(boxes(counts, most))
    assert [place for box in found for place in places(box)] == list(range(math.prod(counts)))
    assert all(len(places(box)) <= most for box in found)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 200))
def test_tiles_are_whole_rows_within_the_limit(samples, rows, most):
    found = tiles(samples, rows, lambda count, height: count * height <= most)
    covered = [
        (sample, row)
        for tile in found
        for sample in range(*tile.samples)
        for row in range(*tile.rows)
    ]
    assert sorted(covered) == [(sample, row) for sample in range(samples) for row in range(rows)]
    assert all(size(tile.samples) * size(tile.rows) <= most for tile in found)


def test_where_nothing_fits_there_are_no_tiles():
    assert tiles(3, 3, lambda samples, rows: False) is None
