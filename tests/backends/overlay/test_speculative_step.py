"""The gate's integer limit decides as the gate does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.backends.overlay.speculative_step import gate_limit
from specbp.experiment import gate_range
from specbp.overlay.instructions.gate import MOST_LIMIT
from specbp.schedules.gate import FixedGate


@settings(deadline=None)
@given(
    st.sampled_from(["max", "tv", "mean"]),
    st.integers(2, 12).flatmap(
        lambda classes: st.lists(st.integers(-16384, 16384), min_size=classes, max_size=classes)
    ),
    st.data(),
)
def test_limits_accept_what_thresholds_accept(metric, differences, data):
    classes = len(differences)
    distance = max(map(abs, differences)) if metric == "max" else sum(map(abs, differences))
    exact = distance / 16384 / {"max": 1, "tv": 2, "mean": classes}[metric]
    largest = gate_range(metric, classes)
    threshold = data.draw(st.one_of(st.floats(0, largest), st.just(min(exact, largest))))
    actual = torch.tensor([differences], dtype=torch.float64) / 16384
    accepted = bool(FixedGate(metric, threshold)(actual, torch.zeros_like(actual)))
    assert (distance < gate_limit(metric, threshold, classes)) == accepted


@pytest.mark.parametrize("metric", ["none", None])
def test_without_a_gate_everything_valid_is_accepted(metric):
    assert gate_limit(metric, None, 10) == MOST_LIMIT


def test_a_threshold_of_zero_accepts_nothing():
    assert gate_limit("max", 0.0, 10) == gate_limit("mean", 0.0, 10) == 0
