"""Whether two arms were timed well enough for a verdict on which of them is faster.

A machine that is busy with other work slows some arms more than others, and most of all those that
need two cores at once: a baseline that fell ill makes everything beside it look fast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from specbp.report.statistics import Floats, RatioInterval

P95_LIMIT = 2.0
"""The most that the 95th percentile of a baseline's step may be over its median."""

AGREEMENT = 1.10
"""The most by which the ratios of total time and of the typical step may differ, as a factor."""

HINDERED = "its threads hinder each other"
BUSY = "the machine was busy with other work"
FEW_STEPS = "a few steps decide the ratio"
CAUSES = {
    HINDERED: "sequential training was slower on several threads than on one",
    BUSY: BUSY,
    FEW_STEPS: FEW_STEPS,
}
"""What each reason to withhold a verdict says, and the words that stand for it in a sentence."""

SMALLEST_KIND = 20
"""Steps of a kind from which a 95th percentile says something."""


def typical_ms(steps: pd.DataFrame) -> float:
    """Return the time of a typical step, ms: the median.

    Steps of a gated training come in two kinds, with rejected samples and without; then it is the
    mean of the medians of the kinds, weighted by how often they occur. The same holds of steps
    of a warm-up, in which nothing is speculated.

    Args:
        steps: rows of the frame `steps` of one training, whole.
    """
    times = _by_kind(steps)
    return sum(len(kind) * float(np.median(kind)) for kind in times) / len(steps)


def tail(steps: Sequence[pd.DataFrame]) -> float:
    """Return the 95th percentile over the median of steps of one kind, the largest of all kinds.

    Args:
        steps: rows of the frame `steps` of each training of an arm.
    """
    enough = [kind for kind in _by_kind(pd.concat(steps)) if len(kind) >= SMALLEST_KIND]
    return max((float(np.quantile(kind, 0.95) / np.median(kind)) for kind in enough), default=1.0)


def reasons_to_withhold(
    baseline: str,
    baseline_tail: float,
    total: RatioInterval,
    typical: RatioInterval,
    one_thread: tuple[str, float, float] | None,
) -> tuple[str, ...]:
    """Return why no verdict can be given on the time of an arm; nothing where one can be.

    Args:
        baseline: name of what the arm is held against.
        baseline_tail: 95th percentile over the median of the baseline's steps.
        total: total time of the arm over that of the baseline.
        typical: typical step of the arm over that of the baseline.
        one_thread: where the baseline is sequential and has several threads: the name of the arm
            with one, and total time and typical step of the baseline over those of it.
    """
    found = []
    if one_thread is not None and max(one_thread[1:]) > 1:
        name, in_total, in_a_step = one_thread
        found.append(
            f'"{baseline}" is slower than "{name}" (total time {in_total:.3f}, typical step '
            f"{in_a_step:.3f} of it): {HINDERED}, and whatever is held against it looks fast"
        )
    if baseline_tail > P95_LIMIT:
        found.append(
            f'one step in twenty of "{baseline}" took more than {baseline_tail:.1f} times its '
            f"median (limit {P95_LIMIT:g}): {BUSY}"
        )
    apart = max(total.ratio / typical.ratio, typical.ratio / total.ratio)
    if apart > AGREEMENT:
        found.append(
            f"total time ({total.ratio:.3f}) and typical step ({typical.ratio:.3f}) differ by "
            f"{apart - 1:.0%} (limit {AGREEMENT - 1:.0%}): {FEW_STEPS}"
        )
    return tuple(found)


def cause(reason: str) -> str:
    """Return the few words that stand for a reason of `reasons_to_withhold`."""
    return next(short for words, short in CAUSES.items() if words in reason)


def _by_kind(steps: pd.DataFrame) -> list[Floats]:
    """Return the times of the steps, ms, apart by whether samples were accepted and rejected.

    Of frames that have steps summed up to rounds, these are the means of the rounds.
    """
    times = steps["step_ms"].to_numpy(dtype=np.float64)
    if "steps" in steps:
        times = times / steps["steps"].to_numpy(dtype=np.float64)
    if "rejects" not in steps or steps["rejects"].isna().all():
        return [times]
    kind = 2 * (steps["accepts"] > 0).to_numpy(bool) + (steps["rejects"] > 0).to_numpy(bool)
    return [times[kind == one] for one in np.unique(kind)]
