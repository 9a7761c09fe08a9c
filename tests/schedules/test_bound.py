import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.bound import Overlap, Passes, ideal_shares, speculative_bound

EQUAL = Passes(forward=1, input_gradients=1, weight_gradients=1, update=0)
times = st.floats(0.1, 10)
passes = st.builds(Passes, times, times, times, times)
overlaps = st.builds(Overlap, st.just(2), st.booleans(), st.booleans(), st.floats(0, 1))


@pytest.mark.parametrize("free", [False, True])
def test_with_b_twice_f_and_everything_accepted_a_third_is_saved(free):
    overlap = Overlap(engines=2, balanced=False, free=free, accept_rate=1)
    assert speculative_bound(EQUAL, overlap) == pytest.approx(2 / 3)


@pytest.mark.parametrize("free", [False, True])
def test_balanced_engines_save_half_of_it(free):
    overlap = Overlap(engines=2, balanced=True, free=free, accept_rate=1)
    assert speculative_bound(EQUAL, overlap) == pytest.approx(1 / 2)


@given(passes)
def test_without_a_gate_the_longer_pass_binds(times):
    on_engine_1 = times.input_gradients + times.weight_gradients
    longer = max(times.forward, on_engine_1, times.sequential / 2)
    overlap = Overlap(engines=2, balanced=False, free=True, accept_rate=1)
    assert speculative_bound(times, overlap) == pytest.approx(longer / times.sequential)


@given(passes)
def test_rejected_samples_cost_their_deltas_again(times):
    nothing, everything = (Overlap(2, False, False, accept_rate) for accept_rate in (0, 1))
    more = speculative_bound(times, nothing) - speculative_bound(times, everything)
    assert more == pytest.approx(times.input_gradients / times.sequential)


@given(passes, overlaps)
def test_balancing_never_costs(times, overlap):
    plain = Overlap(2, False, overlap.free, overlap.accept_rate)
    balanced = Overlap(2, True, overlap.free, overlap.accept_rate)
    assert speculative_bound(times, balanced) <= speculative_bound(times, plain) + 1e-9


@given(passes, overlaps)
def test_two_engines_save_at_most_half(times, overlap):
    assert speculative_bound(times, overlap) >= 0.5 - 1e-9


@given(passes)
def test_one_engine_saves_nothing(times):
    overlap = Overlap(engines=1, balanced=False, free=False, accept_rate=1)
    assert speculative_bound(times, overlap) == pytest.approx(1)


@given(passes, overlaps)
def test_the_shares_of_an_ideal_step_add_up_to_the_bound(times, overlap):
    bound = speculative_bound(times, overlap)
    shares = ideal_shares(times, bound, overlap)
    assert sum(shares.values()) == pytest.approx(bound * times.sequential)
    assert min(shares.values()) >= -1e-9


def test_an_ideal_step_without_sharing_leaves_the_forward_engine_idle_for_half_of_b_less_f():
    """F = 1, D = W = 1: engine 0 idles for one of two, which loses half of one."""
    overlap = Overlap(engines=2, balanced=False, free=True, accept_rate=1)
    assert ideal_shares(EQUAL, 2 / 3, overlap) == pytest.approx(
        {"passes": 1.5, "redo": 0, "update": 0, "imbalance": 0.5}
    )


def test_an_update_fits_where_the_forward_engine_has_nothing_to_do():
    """F = 1, D = W = 1: it has a whole one, of which the update takes half."""
    times = Passes(1, 1, 1, update=1)
    overlap = Overlap(engines=2, balanced=False, free=True, accept_rate=1)
    assert speculative_bound(times, overlap) == pytest.approx(2 / 4)
    assert ideal_shares(times, 2 / 4, overlap) == pytest.approx(
        {"passes": 1.5, "redo": 0, "update": 0.5, "imbalance": 0}
    )


@given(passes)
def test_on_balanced_engines_half_of_the_update_is_added(times):
    overlap = Overlap(engines=2, balanced=True, free=False, accept_rate=1)
    longer = max(times.forward, times.input_gradients)
    expected = longer + (times.weight_gradients + times.update) / 2
    assert speculative_bound(times, overlap) == pytest.approx(expected / times.sequential)
