from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.report.statistics import (
    mean_with_interval,
    paired_difference,
    ratio_with_interval,
    typical_ratio,
)

SEEDS, ROUNDS = 3, 22
"""As many as 10 epochs of 45 steps in blocks of 20 give."""


def autocorrelated(rng: Any, size: tuple[int, int], rho: float, spread: float) -> Any:
    noise = np.zeros(size)
    noise[:, 0] = rng.standard_normal(size[0])
    for number in range(1, size[1]):
        fresh = math.sqrt(1 - rho**2) * rng.standard_normal(size[0])
        noise[:, number] = rho * noise[:, number - 1] + fresh
    return spread * noise


def interleaved(rng: Any, ratio: float, rho: float = 0.3) -> tuple[Any, Any]:
    """Two arms that share slow noise of the machine and have some of their own each."""
    machine = autocorrelated(rng, (SEEDS, ROUNDS), 0.9, 0.10)
    arm = ratio * np.exp(machine + autocorrelated(rng, (SEEDS, ROUNDS), rho, 0.03))
    baseline = np.exp(machine + autocorrelated(rng, (SEEDS, ROUNDS), rho, 0.03))
    return arm, baseline


def test_the_ratio_is_total_over_total_by_hand() -> None:
    found = ratio_with_interval([[1.0, 2.0], [3.0, 1.0]], [[2.0, 2.0], [4.0, 2.0]])
    assert found.ratio == pytest.approx(7 / 10)
    assert found.by_repeat == pytest.approx((3 / 4, 4 / 6))
    assert found.rounds == 4


def test_an_arm_of_constant_share_has_an_interval_of_no_width() -> None:
    baseline = [[10.0, 12.0, 9.0, 30.0]]
    found = ratio_with_interval([[0.7 * time for time in baseline[0]]], baseline)
    assert (found.ratio, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))


def test_no_round_is_left_out_not_even_a_slow_first_one() -> None:
    found = ratio_with_interval([[100.0, 1.0, 1.0]], [[1.0, 1.0, 1.0]])
    assert found.ratio == pytest.approx(34)


def test_two_equal_arms_are_told_apart_in_about_one_of_twenty_trials() -> None:
    rng, trials = np.random.default_rng(7), 400
    held = 0
    for trial in range(trials):
        found = ratio_with_interval(*interleaved(rng, 1.0), resamples=300, seed=trial)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.0 <= found.high
    assert 0.92 <= held / trials <= 0.98


def test_starts_that_differ_are_covered_too() -> None:
    """Kind: an interval that knows too little. Starts differ by 6%, rounds hardly at all."""
    rng, trials = np.random.default_rng(13), 400
    held = within = 0
    for trial in range(trials):
        arm, baseline = interleaved(rng, 1.0)
        arm = arm * np.exp(0.06 * rng.standard_normal((SEEDS, 1)))
        found = ratio_with_interval(arm, baseline, resamples=100, seed=trial)
        assert found.low is not None and found.high is not None and found.within is not None
        held += found.low <= 1.0 <= found.high
        within += abs(math.log(found.ratio)) <= found.within
    assert 0.92 <= held / trials <= 0.98
    assert within / trials < 0.6, "the interval within starts, which was printed before"


def test_a_planted_slowdown_of_ten_percent_is_found() -> None:
    rng = np.random.default_rng(11)
    for trial in range(50):
        found = ratio_with_interval(*interleaved(rng, 1.1), resamples=300, seed=trial)
        assert found.low is not None
        assert found.low > 1.0


def test_noise_that_lasts_over_rounds_widens_the_interval() -> None:
    """The same pairs in shuffled order say more than they do in runs of good and bad luck."""
    rng = np.random.default_rng(3)
    lasting: list[float] = []
    shuffled: list[float] = []
    for _ in range(30):
        arm, baseline = interleaved(rng, 1.0, rho=0.8)
        order = rng.permutation(ROUNDS)
        for widths, a, b in (
            (lasting, arm, baseline),
            (shuffled, arm[:, order], baseline[:, order]),
        ):
            found = ratio_with_interval(a, b, resamples=300)
            assert found.within is not None
            widths.append(found.within)
    assert np.mean(lasting) > 1.3 * np.mean(shuffled)


positive = st.floats(0.1, 100.0)


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(positive, positive), min_size=2, max_size=30),
    scale=st.floats(0.01, 100.0),
)
def test_a_slower_clock_scales_ratio_and_interval(
    pairs: list[tuple[float, float]], scale: float
) -> None:
    arm, baseline = ([list(times)] for times in zip(*pairs, strict=True))
    one = ratio_with_interval(arm, baseline, resamples=100)
    scaled = ratio_with_interval([[scale * t for t in arm[0]]], baseline, resamples=100)
    both = ratio_with_interval(
        [[scale * t for t in arm[0]]], [[scale * t for t in baseline[0]]], resamples=100
    )
    assert one.low is not None
    assert one.high is not None
    assert scaled.ratio == pytest.approx(scale * one.ratio)
    assert (scaled.low, scaled.high) == pytest.approx((scale * one.low, scale * one.high))
    assert (both.ratio, both.low, both.high) == pytest.approx((one.ratio, one.low, one.high))
    assert one.low <= one.ratio * (1 + 1e-9)
    assert one.ratio <= one.high * (1 + 1e-9)


def test_the_same_times_give_the_same_interval() -> None:
    arm, baseline = interleaved(np.random.default_rng(0), 0.9)
    assert ratio_with_interval(arm, baseline) == ratio_with_interval(arm, baseline)


def test_a_single_round_gives_a_ratio_without_interval() -> None:
    found = ratio_with_interval([[5.0]], [[10.0]])
    assert (found.ratio, found.low, found.high) == (0.5, None, None)


def test_the_interval_of_several_starts_is_students_by_hand() -> None:
    """Log ratios 0.1, 0.2 and 0.3: s = 0.1, t(2) = 4.3027, margin 4.3027 x 0.1 / sqrt(3)."""
    starts = [[math.exp(0.1)], [math.exp(0.2)], [math.exp(0.3)]]
    margin = 4.3027 * 0.1 / math.sqrt(3)
    found = ratio_with_interval(starts, [[1.0]] * 3)
    assert found.low == pytest.approx(found.ratio * math.exp(-margin), rel=1e-5)
    assert found.high == pytest.approx(found.ratio * math.exp(margin), rel=1e-5)
    typical = typical_ratio([one[0] for one in starts], [1.0] * 3, rounds=3)
    assert typical.ratio == pytest.approx(math.exp(0.2))
    assert typical.low == pytest.approx(math.exp(0.2 - margin), rel=1e-5)


def test_two_starts_get_their_wide_interval() -> None:
    """t(1) = 12.706: starts of 0.50 and 0.52 reach from 0.40 to 0.65."""
    found = ratio_with_interval([[50.0] * 9, [52.0] * 9], [[100.0] * 9] * 2)
    margin = 12.706 * math.log(52 / 50) / 2
    assert found.low == pytest.approx(0.51 * math.exp(-margin), rel=1e-4)
    assert found.within == pytest.approx(0.0, abs=1e-9)
    assert typical_ratio([50.0], [100.0], rounds=9).low is None, "one start has none"


@pytest.mark.parametrize(
    ("arm", "baseline"),
    [
        ([[1.0, 2.0]], [[1.0]]),
        ([[1.0]], [[1.0], [1.0]]),
        ([], []),
        ([[]], [[]]),
        ([[1.0, -1.0]], [[1.0, 1.0]]),
        ([[1.0, math.nan]], [[1.0, 1.0]]),
    ],
)
def test_times_that_cannot_be_paired_are_refused(arm: Any, baseline: Any) -> None:
    with pytest.raises(ValueError, match=r"ratio needs|same rounds"):
        ratio_with_interval(arm, baseline)


def test_the_mean_of_three_has_students_interval() -> None:
    """Mean 2, s = 1, t(2) = 4.3027: 2 ± 4.3027 / sqrt(3)."""
    found = mean_with_interval([1.0, 2.0, 3.0])
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -0.4841, 4.4841), abs=1e-4)
    assert found.n == 3


def test_the_one_sided_limit_is_higher_than_the_interval() -> None:
    """Mean 2, s = 1, one-sided t(2) = 2.9200: 2 - 2.92 / sqrt(3)."""
    assert mean_with_interval([1.0, 2.0, 3.0]).least == pytest.approx(0.3141, abs=1e-4)


def test_non_inferior_is_what_loses_less_than_the_margin_for_sure() -> None:
    """Losses 0.1, 0.2, 0.3, 0.4, 0.5: mean -0.3, s = 0.1581, t(4) = 2.1318: at least -0.4507."""
    found = paired_difference([89.9, 79.8, 69.7, 59.6, 49.5], [90.0, 80.0, 70.0, 60.0, 50.0])
    assert found.least == pytest.approx(-0.4507, abs=1e-4)
    assert found.non_inferior(0.5)
    assert not found.non_inferior(0.45)
    assert not paired_difference([90.0], [80.0]).non_inferior(0.5), "one seed shows nothing"


def test_an_arm_at_the_margin_passes_in_about_one_of_twenty_trials() -> None:
    rng, trials = np.random.default_rng(9), 2000
    passed = sum(
        mean_with_interval(list(-0.5 + 0.3 * rng.standard_normal(5))).non_inferior(0.5)
        for _ in range(trials)
    )
    assert 0.035 <= passed / trials <= 0.065


def test_one_value_has_no_interval() -> None:
    found = mean_with_interval([0.9])
    assert (found.mean, found.low, found.high, found.n) == (0.9, None, None, 1)


@pytest.mark.parametrize("values", [[], [1.0, math.inf]])
def test_a_mean_of_nothing_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value"):
        mean_with_interval(values)


def test_what_a_seed_does_to_both_arms_cancels_in_the_difference() -> None:
    found = paired_difference([91.0, 81.0, 71.0], [90.0, 80.0, 70.0])
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="one value of each arm"):
        paired_difference([1.0], [1.0, 2.0])


def test_the_t_interval_holds_the_mean_in_about_nineteen_of_twenty_trials() -> None:
    rng, trials = np.random.default_rng(5), 1000
    held = 0
    for _ in range(trials):
        found = mean_with_interval(list(rng.standard_normal(3)))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.0 <= found.high
    assert 0.93 <= held / trials <= 0.97
