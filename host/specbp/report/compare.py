"""Frames to the numbers of a report and of the verb ``compare``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from specbp.errors import NothingMeasuredError, UsageError, nearest
from specbp.frames import OVER_BOUND, Frames
from specbp.report.cores import core_sentences
from specbp.report.cycles import step_cycles
from specbp.report.energy import step_energies
from specbp.report.health import reasons_to_withhold, tail, typical_ms
from specbp.report.learning import learning_notes
from specbp.report.overlay_steps import TwoCoreStep, overlay_steps
from specbp.report.overlay_time import SIMULATED, with_overlay_time
from specbp.report.pairing import (
    EQUAL_WORK,
    Arm,
    Comparison,
    Row,
    by_one_runtime,
    common_seeds,
    common_starts,
    comparisons,
    equal_resources_baseline,
    one_thread_baseline,
    processes,
    timed_in_turns,
)
from specbp.report.provenance import provenance
from specbp.report.published import STEPS, TAIL, TYPICAL_MS, per_step
from specbp.report.schemes import scheme_of, worker_noun
from specbp.report.statistics import (
    MeanInterval,
    RatioInterval,
    mean_with_interval,
    paired_difference,
    ratio_with_interval,
    typical_ratio,
)
from specbp.report.summary import (
    ACCURACY_MARGIN,
    IS_BASELINE,
    NOT_IN_TURNS,
    NOT_MEASURED,
    OTHER_RUNTIME,
    OTHER_SEEDS,
    SHARES_CORES,
    ArmComparison,
    ArmSummary,
    ComparisonSummary,
    LeftOut,
    NotCompared,
    OverBound,
    StepTime,
    Summary,
)

PERCENT = 100.0


def summarise(frames: Frames, accuracy_margin: float = ACCURACY_MARGIN) -> Summary:
    """Compute the summary of `frames`.

    Args:
        frames: the result set.
        accuracy_margin: accuracy margin of the test of non-inferiority, percentage points.

    Raises:
        NothingMeasuredError: no cell was measured.
        UsageError: arms that should have done equal work did not, or steps are missing.
    """
    found = comparisons(frames.runs)
    measured = [run for comparison in found for arm in comparison.arms for run in arm.runs]
    if not measured:
        raise NothingMeasuredError(
            f"none of the {len(frames.runs)} cells was measured: there is nothing to report"
        )
    steps = _steps_by_cell(with_overlay_time(frames).steps)
    return Summary(
        comparisons=tuple(
            _summarise_comparison(comparison, steps, accuracy_margin)
            for comparison in found
            if comparison.arms
        ),
        left_out=tuple(
            _left_out(comparison, row) for comparison in found for row in comparison.left_out
        ),
        provenance=provenance(measured),
        cycles=step_cycles(found),
        energies=step_energies(found),
    )


def compare_each(
    frames: Frames, arm: str, baseline: str, title: str | None = None
) -> tuple[ArmComparison, ...]:
    """Hold `arm` against `baseline` in every comparison that has both, or in the one titled so.

    Raises:
        UsageError: no such arm or comparison, or the two were nowhere timed together.
    """
    found = comparisons(frames.runs)
    titles = [comparison.title for comparison in found if comparison.arms]
    if title is not None and title not in titles:
        raise UsageError(
            f'no comparison is called "{title}"{nearest(title, titles)}: '
            f"there are {'; '.join(titles)}"
        )
    names = {known.name for comparison in found for known in comparison.arms}
    if not names:
        raise NothingMeasuredError("no cell was measured: there is nothing to compare")
    for name in (arm, baseline):
        if name not in names:
            raise UsageError(
                f'no measured arm is called "{name}"{nearest(name, names)}: '
                f"there are {'; '.join(sorted(names))}"
            )
    steps = _steps_by_cell(with_overlay_time(frames).steps)
    results = [
        _against(comparison, arms[arm], arms[baseline], steps)
        for comparison in found
        if title in (None, comparison.title)
        and {arm, baseline} <= set(arms := {known.name: known for known in comparison.arms})
    ]
    done = tuple(result for result in results if isinstance(result, ArmComparison))
    if not done:
        reasons = {result.reason for result in results if isinstance(result, NotCompared)}
        reason = ", ".join(sorted(reasons)) or "measured in different comparisons"
        raise UsageError(f'"{arm}" cannot be held against "{baseline}": {reason}')
    return done


def compare(
    frames: Frames, arm: str, baseline: str, comparison: str | None = None
) -> ArmComparison:
    """Hold `arm` against `baseline` in the one comparison that has both, or in the one titled so.

    Raises:
        UsageError: no such arm or comparison, or several comparisons and no title.
    """
    found = compare_each(frames, arm, baseline, comparison)
    if len(found) > 1:
        titles = "; ".join(result.comparison for result in found)
        raise UsageError(f"several comparisons have both arms: choose one of {titles}")
    return found[0]


def _steps_by_cell(steps: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(cell): group for cell, group in steps.groupby("cell", sort=False)}


def _summarise_comparison(
    comparison: Comparison, steps: Mapping[str, pd.DataFrame], accuracy_margin: float
) -> ComparisonSummary:
    hashes = {
        run["seed"]: {"seed": run["seed"], **{name: run[name] for name in EQUAL_WORK}}
        for arm in comparison.arms
        for run in arm.runs
    }
    overlay = overlay_steps(comparison, steps)
    learning = learning_notes(comparison)
    verdicts = {note.arm: note.verdict for note in reversed(learning)}
    on_cores = {one.arm: one for one in overlay if isinstance(one, TwoCoreStep)}
    return ComparisonSummary(
        title=comparison.title,
        work=comparison.work,
        synthetic=comparison.synthetic,
        arms=tuple(
            replace(
                _summarise_arm(comparison, arm, steps, accuracy_margin, on_cores.get(arm.name)),
                verdict=verdicts.get(arm.name, ""),
            )
            for arm in comparison.arms
        ),
        hashes=tuple(hashes[seed] for seed in sorted(hashes)),
        overlay=overlay,
        learning=tuple(learning),
        cores=tuple(core_sentences(comparison.arms)),
    )


def _summarise_arm(
    comparison: Comparison,
    arm: Arm,
    steps: Mapping[str, pd.DataFrame],
    accuracy_margin: float,
    on_cores: TwoCoreStep | None,
) -> ArmSummary:
    count, step_time = _step_time(arm, steps)
    accuracy = _accuracies(arm.once_per_seed, comparison.synthetic)
    one_thread = one_thread_baseline(comparison, arm)
    equal_resources = equal_resources_baseline(comparison, arm)
    return ArmSummary(
        name=arm.name,
        sequential=arm.sequential,
        scheme=scheme_of(arm.runs[0]),
        workers=worker_noun(arm.backend),
        backend=arm.backend,
        seeds=arm.seeds,
        steps=count,
        step_time=step_time,
        bound=_bound(arm, on_cores),
        over_bound=None if arm.backend in SIMULATED else _over_bound(arm.runs),
        accept_rate=_mean(run["accept_rate"] for run in arm.runs),
        accuracy=mean_with_interval(accuracy) if accuracy else None,
        one_thread=_against(comparison, arm, one_thread, steps),
        equal_resources=_against(comparison, arm, equal_resources, steps),
        accuracy_change=_accuracy_change(comparison, arm, one_thread),
        accuracy_margin=accuracy_margin,
        step_ms=_mean_step(arm, steps),
        between_ms=_mean_between(arm, steps),
        peak_memory_mib=_largest(run["peak_memory_mib"] for run in arm.runs),
        repeatable=arm.is_repeatable,
    )


def _step_time(arm: Arm, steps: Mapping[str, pd.DataFrame]) -> tuple[int, StepTime]:
    """Return the number of steps of all seeds, and how long one takes.

    Where the frames have rounds in place of steps, the quantiles are the means over seeds of
    those that every run has of its own.
    """
    times = np.concatenate([_step_times(run, steps) for run in arm.runs])
    if not any(STEPS in steps[cell] for cell in arm.cells):
        p05, median, p95 = (float(value) for value in np.quantile(times, [0.05, 0.5, 0.95]))
        return len(times), StepTime(median, p05, p95)
    counts = np.concatenate([steps[cell][STEPS].to_numpy() for cell in arm.cells])
    names = ("step_ms_p05", "step_ms", "step_ms_p95")
    if arm.backend in SIMULATED or any(run[name] is None for run in arm.runs for name in names):
        quantiles = np.quantile(times / counts, [0.05, 0.5, 0.95])
    else:
        quantiles = np.mean([[run[name] for name in names] for run in arm.runs], axis=0)
    p05, median, p95 = (float(value) for value in quantiles)
    return int(counts.sum()), StepTime(median, p05, p95)


def _against(
    comparison: Comparison, arm: Arm, baseline: Arm | None, steps: Mapping[str, pd.DataFrame]
) -> ArmComparison | NotCompared:
    if baseline is None:
        return NOT_MEASURED
    if baseline.name == arm.name:
        return IS_BASELINE
    if not common_seeds(arm, baseline):
        return OTHER_SEEDS
    if arm.shares_cores or baseline.shares_cores:
        return SHARES_CORES
    pairs = timed_in_turns(common_starts(arm, baseline))
    if not pairs:
        return NOT_IN_TURNS
    pairs = by_one_runtime(pairs)
    if not pairs:
        return OTHER_RUNTIME
    total, typical = _ratios(pairs, steps)
    accuracy = _accuracy_change(comparison, arm, baseline)
    return ArmComparison(
        comparison=comparison.title,
        arm=arm.name,
        baseline=baseline.name,
        cells=tuple(run["cell"] for pair in pairs for run in pair),
        seeds=tuple(sorted({run["seed"] for run, _ in pairs})),
        processes=processes(pairs),
        time=total,
        typical=typical,
        whole_loop=_whole_loop(pairs, steps),
        accuracy=accuracy if isinstance(accuracy, MeanInterval) else None,
        synthetic=comparison.synthetic,
        withheld=_withheld(comparison, baseline, pairs, steps, (total, typical)),
    )


def _ratios(
    pairs: Sequence[tuple[Row, Row]], steps: Mapping[str, pd.DataFrame]
) -> tuple[RatioInterval, RatioInterval]:
    """Return the ratios of total time and of the typical step of runs timed in turns."""
    rounds = [_paired_rounds(run, other, steps) for run, other in pairs]
    total = ratio_with_interval([a for a, _ in rounds], [b for _, b in rounds])
    ours, theirs = (
        [_typical_ms(run, steps[run["cell"]]) for run in runs] for runs in zip(*pairs, strict=True)
    )
    return total, typical_ratio(ours, theirs, total.rounds)


def _whole_loop(
    pairs: Sequence[tuple[Row, Row]], steps: Mapping[str, pd.DataFrame]
) -> RatioInterval | None:
    """Return the ratio of total time with the work between steps, where that is known."""
    whole = {}
    for run in (run for pair in pairs for run in pair):
        cell = run["cell"]
        between = _between(steps[cell])
        if between is None:
            return None
        whole[cell] = steps[cell].assign(step_ms=steps[cell]["step_ms"] + between)
    return _ratios(pairs, whole)[0]


def _between(steps: pd.DataFrame) -> pd.Series[float] | None:
    """Return the work of the loop outside the clock of each step, ms; None where unknown."""
    if "between_ms" not in steps or steps["between_ms"].isna().any():
        return None
    # The clock of the loop and that of a step are read one after the other: never below zero.
    return steps["between_ms"].astype("float64").clip(lower=0.0)


def _mean_between(arm: Arm, steps: Mapping[str, pd.DataFrame]) -> float | None:
    """Return the mean work of the loop outside the clock of a step, ms; None where unknown."""
    of_runs = [_between(steps[cell]) for cell in arm.cells]
    if any(one is None for one in of_runs):
        return None
    return float(pd.concat(of_runs).sum() / sum(_count(steps[cell]) for cell in arm.cells))


def _mean_step(arm: Arm, steps: Mapping[str, pd.DataFrame]) -> float:
    of_runs = [steps[cell] for cell in arm.cells]
    return float(sum(one["step_ms"].sum() for one in of_runs) / sum(map(_count, of_runs)))


def _count(steps: pd.DataFrame) -> int:
    """Return how many steps there are, also where they are summed up to rounds."""
    return int(steps["steps"].sum()) if "steps" in steps else len(steps)


def _withheld(
    comparison: Comparison,
    baseline: Arm,
    pairs: Sequence[tuple[Row, Row]],
    steps: Mapping[str, pd.DataFrame],
    ratios: tuple[RatioInterval, RatioInterval],
) -> tuple[str, ...]:
    """Return why there is no verdict on the time; cycles of simulated overlays are always well."""
    if baseline.backend in SIMULATED:
        return ()
    one_thread = None
    if baseline.sequential and baseline.threads > 1:
        single = one_thread_baseline(comparison, baseline)
        beside = single and timed_in_turns(common_starts(baseline, single))
        if single and beside:
            total, typical = _ratios(beside, steps)
            one_thread = single.name, total.ratio, typical.ratio
    baseline_tail = _tail([(other, steps[other["cell"]]) for _, other in pairs])
    return reasons_to_withhold(baseline.name, baseline_tail, *ratios, one_thread)


def _typical_ms(run: Row, steps: pd.DataFrame) -> float:
    """Return the time of a typical step, ms; published frames have it beside the run."""
    if STEPS not in steps:
        return typical_ms(steps)
    known = run.get(TYPICAL_MS) or (None if run["backend"] in SIMULATED else run["step_ms"])
    return typical_ms(per_step(steps)) if known is None else float(known)


def _tail(runs: Sequence[tuple[Row, pd.DataFrame]]) -> float:
    """Return the tail of steps of several runs; the mean of theirs where steps are summed up."""
    if not any(STEPS in steps for _, steps in runs):
        return tail([steps for _, steps in runs])
    known = [
        run.get(TAIL) or (run["step_ms_p95"] or math.nan) / (run["step_ms"] or math.nan)
        for run, _ in runs
    ]
    return float(np.nanmean(known)) if np.isfinite(known).any() else 1.0


def _accuracy_change(
    comparison: Comparison, arm: Arm, baseline: Arm | None
) -> MeanInterval | NotCompared:
    """Hold the test accuracy of `arm` against that of `baseline`, whenever each was trained."""
    if baseline is None:
        return NOT_MEASURED
    if baseline.name == arm.name:
        return IS_BASELINE
    pairs = common_seeds(arm, baseline)
    if not pairs:
        return OTHER_SEEDS
    ours = _accuracies([run for run, _ in pairs], comparison.synthetic)
    theirs = _accuracies([other for _, other in pairs], comparison.synthetic)
    return paired_difference(ours, theirs) if ours and theirs else NOT_MEASURED


def _paired_rounds(
    run: Row, other: Row, steps: Mapping[str, pd.DataFrame]
) -> tuple[list[float], list[float]]:
    """Return the time of every round of both runs, ms; the rounds must have equal steps."""
    blocks = []
    for row in (run, other):
        times = _step_times(row, steps)
        blocks.append(
            pd.Series(times).groupby(steps[row["cell"]]["round"].to_numpy()).agg(["sum", "size"])
        )
    ours, theirs = blocks
    if not ours["size"].equals(theirs["size"]):
        raise UsageError(
            f'cells {run["cell"]} ("{run["arm"]}") and {other["cell"]} ("{other["arm"]}") at seed '
            f"{run['seed']} do not have the same rounds with the same number of steps: "
            "their times cannot be paired"
        )
    return ours["sum"].tolist(), theirs["sum"].tolist()


def _step_times(run: Row, steps: Mapping[str, pd.DataFrame]) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the time of every step of `run`, ms."""
    name = f'cell {run["cell"]} ("{run["arm"]}", seed {run["seed"]})'
    if run["cell"] not in steps:
        raise UsageError(f"{name} is marked ok but has no steps: the result set is incomplete")
    times = steps[run["cell"]]["step_ms"].to_numpy(dtype=np.float64)
    if not (np.isfinite(times) & (times > 0)).all():
        raise UsageError(f"{name} has steps without a positive step_ms: it was not timed properly")
    return times


def _accuracies(runs: Sequence[Row], synthetic: bool) -> list[float]:
    """Return the test accuracies in percent; none at all if one is missing or may not be used."""
    found = [run["test_accuracy"] for run in runs]
    return [] if synthetic or None in found else [PERCENT * value for value in found]


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _bound(arm: Arm, on_cores: TwoCoreStep | None) -> float | None:
    """Return the bound of `arm`: that of cycles on an overlay, never of the simulation's passes."""
    if on_cores is not None:
        return on_cores.predicted.bound
    if arm.backend in SIMULATED and not arm.sequential:
        return None
    return _mean(run["bound"] for run in arm.runs)


def _over_bound(runs: Sequence[Row]) -> OverBound | None:
    """Return the mean over `runs`, nothing if one of them has it not."""
    names = ["bound_ms", *(f"over_{account}_ms" for account in OVER_BOUND)]
    if any(run[name] is None for run in runs for name in names):
        return None
    bound_ms, *parts = (float(np.mean([run[name] for run in runs])) for name in names)
    return OverBound(bound_ms, tuple(zip(OVER_BOUND.values(), parts, strict=True)))


def _left_out(comparison: Comparison, row: Row) -> LeftOut:
    return LeftOut(
        comparison=comparison.title,
        arm=str(row["arm"]),
        seed=int(row["seed"]),
        status=str(row["status"]),
        reason=str(row["reason"] or "no reason recorded"),
    )
