"""How often the intervals hold the true ratio, and how often a gate passes that should fall.

Simulated, with fixed seeds, on noise like that of `reports/cifar100/time`: starts of 60 rounds,
whose log ratios within a start scatter by 0.15 with an autocorrelation of 0.15, after noise of the
machine that both arms meet. Every scenario changes one thing of the first: five starts that differ
by 1.3%.

    pytest -s bench/test_intervals.py
"""

import math

import numpy as np
import pytest

from specbp.report.statistics import ratio_with_interval, typical_ratio

ROUNDS, SCATTER, REMEMBERED = 60, 0.15, 0.15
"""Medians over the 204 pairs of trainings of `reports/cifar100/time`."""
MACHINE, MACHINE_REMEMBERS = 0.15, 0.9
TRIALS = 1000
RESAMPLES = 200
"""Of the bootstrap within starts, which decides nothing here but what the wider one would hold."""

SCENARIOS = {
    "2 starts": {"starts": 2},
    "3 starts": {"starts": 3},
    "5 starts": {},
    "starts differ by 0": {"spread": 0.0},
    "starts differ by 1.3%": {"spread": 0.013},
    "starts differ by 3.4%": {"spread": 0.034},
    "starts differ by 6%": {"spread": 0.06},
    "autocorrelation 0.5": {"remembered": 0.5},
    "autocorrelation 0.9": {"remembered": 0.9},
    "1% of rounds x 100": {"stalled": 0.01},
}


def lasting(rng, starts, remembered, scatter):
    noise = rng.standard_normal((starts, ROUNDS))
    for number in range(1, ROUNDS):
        fresh = math.sqrt(1 - remembered**2) * noise[:, number]
        noise[:, number] = remembered * noise[:, number - 1] + fresh
    return scatter * noise


def draw(rng, ratio=1.0, starts=5, spread=0.013, remembered=REMEMBERED, stalled=0.0):
    """Return the times of the rounds of an arm and its baseline, [start, round] each."""
    machine = lasting(rng, starts, MACHINE_REMEMBERS, MACHINE)
    own = SCATTER / math.sqrt(2)
    arm = (
        machine + lasting(rng, starts, remembered, own) + spread * rng.standard_normal((starts, 1))
    )
    baseline = machine + lasting(rng, starts, remembered, own)
    stalls = [np.where(rng.random(arm.shape) < stalled, 100.0, 1.0) for _ in range(2)]
    return ratio * np.exp(arm) * stalls[0], np.exp(baseline) * stalls[1]


def intervals(rng, **scenario):
    """Return the intervals of total time and of a typical step of one simulated comparison."""
    arm, baseline = draw(rng, **scenario)
    total = ratio_with_interval(arm, baseline, RESAMPLES, seed=int(rng.integers(1 << 31)))
    medians = np.median(arm, axis=1), np.median(baseline, axis=1)
    return total, typical_ratio(*medians, rounds=arm.size)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_intervals_hold_the_true_ratio_in_93_to_97_percent(name):
    rng = np.random.default_rng(2024)
    held = dict.fromkeys(("total time", "typical step", "rounds alone", "the wider"), 0)
    widths = []
    for _ in range(TRIALS):
        total, typical = intervals(rng, **SCENARIOS[name])
        by_starts = total.low <= 1 <= total.high
        by_rounds = abs(math.log(total.ratio)) <= total.within
        held["total time"] += by_starts
        held["typical step"] += typical.low <= 1 <= typical.high
        held["rounds alone"] += by_rounds
        held["the wider"] += by_starts or by_rounds
        widths.append(math.log(total.high / total.low) / 2)
    shares = {what: count / TRIALS for what, count in held.items()}
    words = ", ".join(f"{what} {share:.1%}" for what, share in shares.items())
    print(f"\n{name}: {words}; half the width {np.median(widths):.1%}")
    assert 0.93 <= shares["total time"] <= 0.97
    assert 0.93 <= shares["typical step"] <= 0.97


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_gate_at_the_limit_passes_in_at_most_5_percent(name):
    """``compare --max-ratio`` passes where the whole interval of total time is below the limit."""
    passed = {}
    for faster in (0.0, 0.05, 0.10):
        rng = np.random.default_rng(2025)
        passed[faster] = sum(
            intervals(rng, ratio=1 - faster, **SCENARIOS[name])[0].high < 1 for _ in range(TRIALS)
        )
    shares = {faster: count / TRIALS for faster, count in passed.items()}
    words = ", ".join(f"{faster:.0%} below it {share:.1%}" for faster, share in shares.items())
    print(f"\n{name}: passes at the limit and {words}")
    assert shares[0.0] <= 0.05
