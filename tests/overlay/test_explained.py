"""Bounds from the passes of a sequential step."""

import pytest

from specbp.overlay.explained import SequentialCycles

STEP = SequentialCycles(forward=100, deltas=120, weight_gradients=150, updates=30)


def test_the_papers_bound_counts_all_but_the_forward_as_backward():
    assert STEP.papers_bound == 300 / 400


@pytest.mark.parametrize(
    ("balanced", "free", "rate", "cycles"),
    [
        (False, False, 0.0, 120 + 150),
        (False, False, 0.5, 120 + 60 + 150),
        (False, True, 0.0, 120 + 150),
        (True, False, 0.0, 200),
        (True, True, 0.0, 200),
        (True, False, 1.0, 260),
    ],
)
def test_bound(balanced, free, rate, cycles):
    assert STEP.bound(balanced, free, rate) == cycles / 400
