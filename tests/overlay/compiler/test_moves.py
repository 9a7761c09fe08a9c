"""Strided patterns as few descriptors, against the plain nested loops."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.overlay.compiler.moves import MOST_MOVES, parts
from specbp.overlay.instructions import Move

MOVES = st.lists(
    st.builds(
        Move,
        st.integers(1, 4),
        st.integers(-6, 40).map(lambda words: 8 * words),
        st.integers(-5, 40),
    ),
    max_size=5,
)


def words(run, moves, memory=0, buffer=0):
    """All (memory, buffer) pairs, in order."""
    found = []
    for counters in itertools.product(*(range(move.count) for move in reversed(moves))):
        at = list(zip(reversed(counters), moves, strict=True))
        start = memory + sum(count * move.memory for count, move in at)
        place = buffer + sum(count * move.buffer for count, move in at)
        found += [(start + 8 * word, place + word) for word in range(run)]
    return found


@given(st.integers(1, 5), MOVES, st.booleans())
def test_parts_move_what_the_pattern_does_in_its_order(run, moves, merge_run):
    found = [
        pair
        for part in parts(run, moves, merge_run)
        for pair in words(part.run, part.moves, part.memory, part.buffer)
    ]
    assert found == words(run, moves)
    assert all(len(part.moves) <= MOST_MOVES for part in parts(run, moves, merge_run))


@pytest.mark.parametrize(
    ("run", "moves", "merged"),
    [
        (4, [Move(3, 32, 4)], (12, ())),
        (4, [Move(3, 32, 8)], (4, (Move(3, 32, 8),))),
        (4, [Move(3, 64, 8), Move(5, 192, 24)], (4, (Move(15, 64, 8),))),
        (4, [Move(1, 64, 8), Move(5, 32, 4)], (20, ())),
    ],
)
def test_what_is_consecutive_becomes_one(run, moves, merged):
    (part,) = parts(run, moves)
    assert (part.run, part.moves) == merged


def test_a_fourth_move_is_unrolled():
    moves = [Move(2, 8 * 10**stride, 3 * 10**stride) for stride in range(1, 5)]
    assert [part.memory for part in parts(1, moves)] == [0, 80_000]
