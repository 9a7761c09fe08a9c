"""The statistics of a report, each with its limits stated where it is computed.

All intervals are two-sided and aim at 95%; the test of non-inferiority alone is one-sided. One
interval in twenty misses even when everything assumed here holds, so a table of many arms is
expected to contain a few that miss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RatioInterval:
    """The time of one arm over the time of another; dimensionless, below 1 is faster.

    Attributes:
        ratio: the ratio over all repeats.
        low: lower end of the 95% interval; ``None`` where there is none.
        high: upper end.
        rounds: blocks of steps that entered, over all repeats.
        by_repeat: the ratio of each repeat alone.
        within: half the width, as a logarithm, of the interval that knows only how the rounds
            within a repeat differ; ``None`` with a single round in a repeat.
    """

    ratio: float
    low: float | None
    high: float | None
    rounds: int
    by_repeat: tuple[float, ...]
    within: float | None = None


@dataclass(frozen=True)
class MeanInterval:
    """A mean in the unit of its values, with a 95% interval; no interval from one value.

    Attributes:
        mean: mean of the values.
        low: lower end of the two-sided 95% interval.
        high: upper end.
        n: number of values.
        least: one-sided 95% limit: the mean is not below it. Higher than `low`.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    least: float | None = None

    def non_inferior(self, margin: float) -> bool:
        """Return whether, as a difference to a baseline, it is shown not to lose `margin`.

        The one-sided test of non-inferiority at 5%: that the loss is `margin` or more is refused
        where `least` lies above -`margin`. Not refusing it shows nothing, least of all inferiority.
        """
        return self.least is not None and self.least > -margin


def ratio_with_interval(
    arm_times: Sequence[Sequence[float] | Floats],
    baseline_times: Sequence[Sequence[float] | Floats],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RatioInterval:
    """Return total arm time over total baseline time, with its interval.

    Every sequence holds one repeat: arms that were trained in turns from beginning to end. Its
    entries are the times of consecutive rounds, in any unit. Entry r of the arm and of the
    baseline ran next to each other, so noise that both meet cancels.

    With two repeats or more the repeat is the unit: what a process draws once and keeps (memory
    layout, a noisy neighbour for all of its life) makes repeats differ more than the rounds within
    one can tell. The interval is Student's t over the logarithms of the repeats' ratios. With two
    repeats t is 12.7 and the interval is wide; that is what two repeats can show.

    From a single repeat the interval is a paired block bootstrap over its rounds and knows nothing
    of other repeats. Neighbouring rounds resemble each other, so they are drawn in runs of random
    length, the stationary bootstrap (Politis and Romano, JASA 89, 1994, DOI
    10.1080/01621459.1994.10476870). The spread of the resampled log ratio becomes an interval with
    Student's t, as percentiles of so few rounds are too narrow (Hesterberg, The American
    Statistician 69, 2015, DOI 10.1080/00031305.2015.1089789). No round is left out, the first
    ones included.

    The wider of the two is not the better one: with two or three repeats, or where they hardly
    differ, it holds the true ratio in 98 to 99% of cases instead of 95. Simulations of both:
    ``bench/test_intervals.py``.

    Raises:
        ValueError: the two are not paired round by round, or a time is not positive and finite.
    """
    arm, baseline = _paired(arm_times), _paired(baseline_times)
    if [len(times) for times in arm] != [len(times) for times in baseline]:
        raise ValueError("arm and baseline must have the same repeats and the same rounds in each")
    by_repeat = [float(a.sum() / b.sum()) for a, b in zip(arm, baseline, strict=True)]
    within = _log_margin(arm, baseline, resamples, np.random.default_rng(seed))
    return _around(
        float(sum(times.sum() for times in arm) / sum(times.sum() for times in baseline)),
        within if len(arm) == 1 else _margin_over_repeats(by_repeat),
        sum(len(times) for times in arm),
        by_repeat,
        within,
    )


def typical_ratio(
    arm_ms: Sequence[float], baseline_ms: Sequence[float], rounds: int
) -> RatioInterval:
    """Return the ratio of the times of a typical step, the geometric mean over repeats.

    Args:
        arm_ms: the typical step of the arm in each repeat.
        baseline_ms: the typical step of the baseline in each repeat.
        rounds: blocks of steps they are taken from.

    Raises:
        ValueError: unequal numbers of repeats, none, or a time is not positive and finite.
    """
    arm, baseline = _paired([[ms] for ms in arm_ms]), _paired([[ms] for ms in baseline_ms])
    by_repeat = [float(a[0] / b[0]) for a, b in zip(arm, baseline, strict=True)]
    centre = math.exp(float(np.mean(np.log(by_repeat))))
    margin = None if len(by_repeat) == 1 else _margin_over_repeats(by_repeat)
    return _around(centre, margin, rounds, by_repeat)


def mean_with_interval(values: Sequence[float]) -> MeanInterval:
    """Return the mean of `values` with Student's t interval, mean ± t·s/√n.

    Limits. With 3 seeds t is 4.30, so the interval is 2.5 standard deviations to each side, and
    the standard deviation itself is known only to within a factor of 0.5 to 6. It can show that
    a difference is large against the scatter between seeds; it cannot show that two methods are
    equal. It assumes a normal scatter between seeds and knows nothing of other data sets,
    networks or learning rates. It is not cut off at 0 or 100%. Equal values give an interval of
    no width, which only says that the scatter is below what n seeds can show.

    Raises:
        ValueError: no values, or one that is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError("a mean needs at least one value, all of them finite")
    mean, n = float(numbers.mean()), int(numbers.size)
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    error = float(numbers.std(ddof=1)) / math.sqrt(n)
    margin = _t_quantile(n - 1) * error
    least = mean - float(stats.t.ppf(LEVEL, n - 1)) * error
    return MeanInterval(mean, mean - margin, mean + margin, n, least)


def paired_difference(arm: Sequence[float], baseline: Sequence[float]) -> MeanInterval:
    """Return the mean of `arm` less `baseline` over seeds with Student's t interval.

    Entry i of both must come from the same seed: what a seed does to both arms cancels. The
    limits of `mean_with_interval` hold for the differences.

    Raises:
        ValueError: unequal numbers of values.
    """
    if len(arm) != len(baseline):
        raise ValueError("a paired difference needs one value of each arm for every seed")
    return mean_with_interval([a - b for a, b in zip(arm, baseline, strict=True)])


def _paired(times: Sequence[Sequence[float] | Floats]) -> list[Floats]:
    arrays = [np.asarray(series, dtype=np.float64) for series in times]
    if not arrays or any(series.ndim != 1 or series.size == 0 for series in arrays):
        raise ValueError("a ratio needs at least one repeat, each with at least one round")
    if any(not np.isfinite(series).all() or (series <= 0).any() for series in arrays):
        raise ValueError("a ratio needs times that are positive and finite")
    return arrays


def _around(
    ratio: float,
    margin: float | None,
    rounds: int,
    by_repeat: Sequence[float],
    within: float | None = None,
) -> RatioInterval:
    """Return `ratio` with the interval that reaches `margin` to both sides of its logarithm."""
    return RatioInterval(
        ratio=ratio,
        low=None if margin is None else ratio * math.exp(-margin),
        high=None if margin is None else ratio * math.exp(margin),
        rounds=rounds,
        by_repeat=tuple(by_repeat),
        within=within,
    )


def _margin_over_repeats(by_repeat: Sequence[float]) -> float:
    """Return half the width of Student's t interval of the mean log ratio of several repeats."""
    logs = np.log(by_repeat)
    error = float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return _t_quantile(len(logs) - 1) * error


def _log_margin(
    arm: Sequence[Floats], baseline: Sequence[Floats], resamples: int, rng: np.random.Generator
) -> float | None:
    """Return half the width of the log ratio's interval; ``None`` if a repeat has one round."""
    shortest = min(len(times) for times in arm)
    if shortest < 2:
        return None
    length = _mean_block_length(shortest)
    arm_total, baseline_total = np.zeros(resamples), np.zeros(resamples)
    for a, b in zip(arm, baseline, strict=True):
        drawn = _stationary_indices(len(a), length, resamples, rng)
        arm_total += a[drawn].sum(axis=1)
        baseline_total += b[drawn].sum(axis=1)
    spread = float(np.log(arm_total / baseline_total).std(ddof=1))
    # Deviations are taken from the sample's own mean, which hides the share (2L - 1)/n of the
    # variance; for L = 1 this is the familiar n/(n - 1).
    spread /= math.sqrt(1 - (2 * length - 1) / shortest)
    return _t_quantile(_degrees_of_freedom(arm, length)) * spread


def _mean_block_length(rounds: int) -> float:
    """Return the mean number of consecutive rounds drawn together, 1.5·n^(1/3), at most n/4.

    The rate n^(1/3) is the one that minimises the error of the variance (Politis and White,
    Econometric Reviews 23, 2004, DOI 10.1081/ETC-120028836); the factor was chosen by simulation.
    """
    return max(1.0, min(1.5 * math.pow(rounds, 1 / 3), rounds / 4))


def _degrees_of_freedom(series: Sequence[Floats], length: float) -> float:
    """Return how many independent values the variance estimate is worth, at least 1.

    Blocks with restart probability 1/L weigh lag k by q^|k|, q = 1 - 1/L; the estimate is worth
    n over the sum of squared weights, (1 + q²)/(1 - q²), less one mean per repeat.
    """
    keep = (1 - 1 / length) ** 2
    rounds = sum(len(times) for times in series)
    return max(1.0, rounds * (1 - keep) / (1 + keep) - len(series))


def _stationary_indices(
    rounds: int, length: float, resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw `resamples` rows of round numbers: runs of mean `length`, wrapping at the end."""
    restarts = rng.random((resamples, rounds)) < 1 / length
    restarts[:, 0] = True
    position = np.arange(rounds)
    last_restart = np.maximum.accumulate(np.where(restarts, position, 0), axis=1)
    starts = rng.integers(0, rounds, (resamples, rounds))
    begun = np.take_along_axis(starts, last_restart, axis=1)
    drawn: npt.NDArray[np.int64] = (begun + position - last_restart) % rounds
    return drawn


def _t_quantile(degrees_of_freedom: float) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, degrees_of_freedom))
