"""Numbers into words: the cells of the summary table, for every rendering.

A cell has a value, an interval and a remark. HTML, Markdown and terminal lay the three out
differently, but none of them rounds or judges anything itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from specbp.counting import count
from specbp.report.statistics import MeanInterval
from specbp.report.summary import (
    IS_BASELINE,
    ArmComparison,
    ArmSummary,
    ComparisonSummary,
    NotCompared,
    Summary,
)
from specbp.report.titles import dataset_words

SYNTHETIC = "synthetic data"
WITHHELD = "no verdict"
"""Instead of a verdict, where the timing does not allow one; see `ArmComparison.withheld`."""
MINUS = "\N{MINUS SIGN}"
PAPER = (
    'S. Park and T. Suh, "Speculative Backpropagation for CNN Parallel Training", '
    "IEEE Access, vol. 8, pp. 215365\N{EN DASH}215374, 2020"
)
DOI = "10.1109/ACCESS.2020.3040849"


@dataclass(frozen=True)
class SummaryEntry:
    """One entry of the summary table: a value, its interval, and what follows from it.

    Attributes:
        value: number to show.
        interval: 95% interval of the value.
        remark: what follows from both.
        also: a second number beside the value, with its name.
    """

    value: str
    interval: str = ""
    remark: str = ""
    also: str = ""


@dataclass(frozen=True)
class Heading:
    """The heading of a column of the summary table, with its unit."""

    name: str
    unit: str = ""


COLUMNS: tuple[tuple[Heading, Callable[[ArmSummary, bool], SummaryEntry]], ...] = (
    (Heading("arm"), lambda arm, _: SummaryEntry(arm.name, "", _seeds(len(arm.seeds)))),
    (Heading("step time", "ms, median [p05, p95]"), lambda arm, _: _step_time(arm)),
    (
        Heading("total time / sequential, 1 thread", "ratio [95%], typical step"),
        lambda arm, _: ratio_cell(arm, arm.one_thread),
    ),
    (
        Heading("ideal bound", "ratio to 1 thread"),
        lambda arm, _: SummaryEntry(_or_dash(arm.bound, "{:.3f}")),
    ),
    (
        Heading("total time / sequential, equal threads", "ratio [95%], typical step"),
        lambda arm, _: ratio_cell(arm, arm.equal_resources),
    ),
    (Heading("accepted", "% of samples"), lambda arm, _: SummaryEntry(_accepted(arm))),
    (Heading("test accuracy", "% [95%]"), lambda arm, synthetic: _accuracy(arm, synthetic)),
    (
        Heading("accuracy \N{MINUS SIGN} sequential", "points [95%]"),
        lambda arm, synthetic: _difference(arm, synthetic),
    ),
    (
        Heading("loses at most", "points, one-sided 95%"),
        lambda arm, synthetic: _non_inferiority(arm, synthetic),
    ),
)
"""The columns of the summary table; the second entry makes the cell of an arm."""


def headings(comparison: ComparisonSummary) -> list[Heading]:
    """Return the headings of the summary table; on a GPU they say stream for thread."""
    return [
        Heading(*(text.replace("thread", comparison.workers) for text in (head.name, head.unit)))
        for head, _ in COLUMNS
    ]


def summary_rows(comparison: ComparisonSummary) -> list[list[SummaryEntry]]:
    """Return the summary table of `comparison`, one list of cells per arm."""
    return [[cell(arm, comparison.synthetic) for _, cell in COLUMNS] for arm in comparison.arms]


def work_words(work: Mapping[str, Any]) -> str:
    """Describe what was trained in one line."""
    subset = "" if work["train"] is None else f" ({work['train']:,} training samples)"
    epochs = f"{work['epochs']} epoch{'s' if work['epochs'] != 1 else ''}"
    return (
        f"{work['model']} on {dataset_words(work['dataset'])}{subset}, {work['arithmetic']}, "
        f"batch size {work['batch_size']}, {epochs}, SGD with learning rate "
        f"{work['learning_rate']:g} and "
        f"{'Nesterov ' if work['nesterov'] else ''}momentum {work['momentum']:g}"
    )


def ratio_cell(arm: ArmSummary, against: ArmComparison | NotCompared) -> SummaryEntry:
    """Return the cell of a ratio to a baseline, or why there is none."""
    if isinstance(against, NotCompared):
        return (
            SummaryEntry("1", "", "this arm")
            if against == IS_BASELINE
            else SummaryEntry(against.reason)
        )
    time = against.time
    interval = interval_words(time.low, time.high, "{:.3f}") or "no interval: one round"
    remarks = [time_verdict(against)]
    if len(against.seeds) < len(arm.seeds):
        remarks.append(f"from {_seeds(len(against.seeds))}")
    words = ", ".join(word for word in remarks if word)
    return SummaryEntry(f"{time.ratio:.3f}", interval, words, f"step {against.typical.ratio:.3f}")


def full_title(comparison: ComparisonSummary) -> str:
    """Return the title of `comparison`, marked if it trained on synthetic data."""
    return f"{comparison.title} ({SYNTHETIC})" if comparison.synthetic else comparison.title


def interval_words(low: float | None, high: float | None, form: str) -> str:
    """Return ``[low, high]``, or nothing where there is no interval."""
    if low is None or high is None:
        return ""
    return f"[{number_words(low, form)}, {number_words(high, form)}]"


def number_words(value: float, form: str) -> str:
    """Return `value` in `form`, with a typographic minus sign and none before a zero."""
    number = form.format(value)
    if float(number.replace(",", "")) == 0:
        return form.replace("+", "").format(0.0)
    return number.replace("-", MINUS)


def milliseconds(value: float) -> str:
    """Return `value`, ms, with three significant digits and never an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def accuracy_words(accuracy: MeanInterval) -> tuple[str, str]:
    """Return a mean in percent and its interval in words."""
    low, high = _within(accuracy, 0.0, 100.0)
    return f"{accuracy.mean:.2f}", interval_words(low, high, "{:.2f}") or "no interval: one seed"


def possible_change(change: MeanInterval) -> tuple[float | None, float | None]:
    """Return the ends of the interval of a change of accuracy, cut where no change can be."""
    return _within(change, -100.0, 100.0)


def _within(interval: MeanInterval, least: float, most: float) -> tuple[float | None, float | None]:
    if interval.low is None or interval.high is None:
        return None, None
    return max(least, interval.low), min(most, interval.high)


def totals(summary: Summary) -> str:
    """Say how much was measured, in one line."""
    arms = {arm.name for comparison in summary.comparisons for arm in comparison.arms}
    runs = sum(len(arm.seeds) for item in summary.comparisons for arm in item.arms)
    parts = [
        count(len(summary.comparisons), "comparison"),
        count(len(arms), "arm"),
        count(runs, "training run"),
    ]
    if summary.left_out:
        parts.append(f"{count(len(summary.left_out), 'cell')} failed or skipped")
    return ", ".join(parts)


def _step_time(arm: ArmSummary) -> SummaryEntry:
    time = arm.step_time
    return SummaryEntry(
        milliseconds(time.median), f"[{milliseconds(time.p05)}, {milliseconds(time.p95)}]"
    )


def _accepted(arm: ArmSummary) -> str:
    if arm.sequential:
        return "\N{EN DASH}"
    return "not recorded" if arm.accept_rate is None else f"{100 * arm.accept_rate:.1f}"


def _accuracy(arm: ArmSummary, synthetic: bool) -> SummaryEntry:
    if arm.accuracy is None:
        return SummaryEntry(SYNTHETIC if synthetic else "not measured")
    return SummaryEntry(*accuracy_words(arm.accuracy), arm.verdict)


def _difference(arm: ArmSummary, synthetic: bool) -> SummaryEntry:
    if synthetic:
        return SummaryEntry(SYNTHETIC)
    change = arm.accuracy_change
    if isinstance(change, NotCompared):
        return (
            SummaryEntry("0", "", "this arm")
            if change == IS_BASELINE
            else SummaryEntry(change.reason)
        )
    interval = interval_words(*possible_change(change), "{:+.2f}") or "no interval: one seed"
    remarks = [accuracy_verdict(change)]
    if change.n < len(arm.seeds):
        remarks.append(f"from {_seeds(change.n)}")
    words = ", ".join(word for word in remarks if word)
    return SummaryEntry(number_words(change.mean, "{:+.2f}"), interval, words)


def _non_inferiority(arm: ArmSummary, synthetic: bool) -> SummaryEntry:
    change = arm.accuracy_change
    if synthetic or isinstance(change, NotCompared) or change.least is None:
        return SummaryEntry("\N{EN DASH}")
    shown = change.non_inferior(arm.accuracy_margin)
    margin = f"{arm.accuracy_margin:g}"
    return SummaryEntry(
        number_words(min(100.0, max(0.0, -change.least)), "{:.2f}"),
        "",
        f"within {margin}" if shown else f"{margin} not shown",
    )


def time_verdict(against: ArmComparison) -> str:
    """Return ``faster``, ``slower``, ``not told apart`` or `WITHHELD`; nothing without interval."""
    if against.withheld:
        return WITHHELD
    return _verdict(against.time.low, against.time.high, 1.0, ("faster", "slower"))


def accuracy_verdict(change: MeanInterval) -> str:
    """Return ``lower``, ``higher`` or ``not told apart``; nothing without an interval."""
    return _verdict(change.low, change.high, 0.0, ("lower", "higher"))


def _verdict(low: float | None, high: float | None, neutral: float, words: tuple[str, str]) -> str:
    """Return which side of `neutral` the interval is on; no word without an interval."""
    if low is None or high is None:
        return ""
    if high < neutral:
        return words[0]
    return words[1] if low > neutral else "not told apart"


def _seeds(number: int) -> str:
    return count(number, "seed")


def _or_dash(value: float | None, form: str) -> str:
    return "\N{EN DASH}" if value is None else form.format(value)
