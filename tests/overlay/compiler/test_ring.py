"""Room in a buffer."""

from hypothesis import given
from hypothesis import strategies as st

from specbp.overlay.compiler.ring import Ring


def test_two_halves_are_used_in_turns():
    ring = Ring(10)
    assert [ring.take(5) for _ in range(4)] == [0, 5, 0, 5]


def test_what_is_overwritten_is_forgotten():
    ring = Ring(10)
    assert [ring.take(4, "a"), ring.take(4, "b")] == [0, 4]
    assert ring.take(3, "c") == 0
    assert (ring.find("a"), ring.find("b"), ring.find("c")) == (None, 4, 0)


def test_the_start_can_be_kept_for_something_else():
    ring = Ring(10, first=2)
    assert (ring.whole, ring.half) == (8, 4)
    assert [ring.take(4), ring.take(4), ring.take(4)] == [2, 6, 2]


@given(st.lists(st.integers(1, 16), min_size=1, max_size=60))
def test_what_is_found_overlaps_nothing_else_that_is(sizes):
    ring, taken = Ring(32), {}
    for key, size in enumerate(sizes):
        taken[key] = (ring.take(size, key), size)
        assert ring.find(key) == taken[key][0]
    places = []
    for key, (start, size) in taken.items():
        if ring.find(key) is not None:
            assert ring.find(key) == start
            places += range(start, start + size)
    assert len(places) == len(set(places)) and max(places) < 32
