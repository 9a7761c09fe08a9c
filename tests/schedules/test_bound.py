import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.bound import Passes, speculative_bound

EQUAL = Passes(forward=1, input_gradients=1, weight_gradients=1)
times = st.floats(0.1, 10)
passes = st.builds(Passes, times, times, times)
reuses = st.sampled_from(["outcomes", "replay"])


@pytest.mark.parametrize("reuse", ["outcomes", "replay"])
def test_with_b_twice_f_and_everything_accepted_a_third_is_saved(reuse):
    assert speculative_bound(EQUAL, reuse, 2, accept_rate=1) == pytest.approx(2 / 3)


@given(passes)
def test_replay_with_everything_accepted_is_bound_by_the_longer_pass(times):
    longer = max(times.forward, times.backward)
    expected = longer / (times.forward + times.backward)
    assert speculative_bound(times, "replay", 2, 1) == pytest.approx(expected)


def test_rejected_replay_has_been_paid_for():
    assert speculative_bound(EQUAL, "replay", 2, accept_rate=0) == pytest.approx(4 / 3)


def test_rejected_outcomes_cost_nothing_but_the_chance():
    assert speculative_bound(EQUAL, "outcomes", 2, accept_rate=0) == pytest.approx(1)


@given(passes, reuses, st.floats(0, 1))
def test_two_engines_are_never_slower_than_one_and_at_most_twice_as_fast(times, reuse, accepted):
    one = speculative_bound(times, reuse, 1, accepted)
    two = speculative_bound(times, reuse, 2, accepted)
    assert one / 2 <= two + 1e-9
    assert two <= one + 1e-9


@given(passes, reuses)
def test_one_engine_saves_nothing(times, reuse):
    assert speculative_bound(times, reuse, 1, accept_rate=1) == pytest.approx(1)
