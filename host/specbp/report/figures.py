"""The figures of one comparison as inline SVG, each with a caption that says how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from specbp.report.curves import Breakdown
from specbp.report.drawing import drawing_style
from specbp.report.overlay_steps import OverlayStep
from specbp.report.palette import Style
from specbp.report.plots import accept_figure, accuracy_figure, trade_figure, trades
from specbp.report.rows import breakdown_figure, cores_figure, over_bound_figure, ratio_figure
from specbp.report.summary import ArmComparison, ComparisonSummary
from specbp.report.svg import inline_svg
from specbp.report.wording import SYNTHETIC


@dataclass(frozen=True)
class Illustration:
    """A figure as it stands in the page."""

    title: str
    svg: str
    caption: str


RATIO_CAPTION = (
    "Left of the line at 1 an arm is faster than its baseline, right of it slower. Filled mark: "
    "against sequential training on one thread; hollow mark: against sequential training with "
    "the same number of threads. Bars are 95% intervals, thin ticks below them the ratio of each "
    "seed alone, thick ticks the ideal bound of the arm against one thread."
)
ACCURACY_CAPTION = (
    "Higher and further left is better: more accuracy after less time. Thick lines are means over "
    "the seeds of accuracy and of time after each epoch, thin lines single seeds."
)
ACCEPT_CAPTION = (
    "Share of the samples whose speculated gradient was kept. Rejected samples get the ordinary "
    "backward on top of the speculated one, so a low share costs time; a high share is not by "
    "itself good for accuracy. Thick lines are means over the seeds, thin lines single seeds."
)
TRADE_CAPTION = (
    "Left of the line at 1 an arm saves time against sequential training on one thread, above the "
    "line at 0 it gains test accuracy, below it loses. Bars are 95% intervals of both. The arms of "
    "one gate at several thresholds form a curve."
)
BREAKDOWN_CAPTION = (
    "The two bars of an arm with two engines are spent at the same time: engine 0 runs forward, "
    "engine 1 the speculated backward, of which engine 0 does a part where engines are balanced. "
    "Bars are durations in the mean step, not moments: "
    "where the bar of engine 1 is shorter than the whole step (thick tick), that engine was idle "
    "for the difference. Wait is the time engine 0 waited for engine 1. Redo is the ordinary "
    "backward of rejected samples. Recall and store read and write the cache. Rest is what was "
    "not timed apart."
)
OVER_BOUND_CAPTION = (
    "From the bound (thick tick) to the mean step (end of the bar); the number of a row is their "
    "ratio. Contention: passes slower beside each other than those of sequential training are "
    "alone. Imbalance: an engine with nothing to do, beyond what the bound has of it. Rejects: "
    "ordinary deltas beyond those the bound has at this accept rate. Cache upkeep: recall and "
    "store. Synchronisation: handing work over, and bookkeeping between the parts. A moment "
    "belongs half to each engine. A part in which the step did better than the bound has it "
    "begins the others left of the tick."
)
CORES_CAPTION = (
    "What the compute units of both cores do over a step in which the gate rejects nothing, as the "
    "cycle model predicts it for the programs that this version compiles; each of 400 parts of a "
    "step is drawn as what takes most of it, the gate wherever it is. Bars of one colour next to "
    "each other are different layers. After its last bar a core has ended. The thick tick is the "
    "bound: the same passes, and nothing but they takes time."
)


def illustrations(
    name: str,
    comparison: ComparisonSummary,
    curves: pd.DataFrame,
    breakdowns: Sequence[Breakdown],
    styles: Mapping[str, Style],
) -> list[Illustration]:
    """Draw what `comparison` has numbers for; `name` makes the ids of its figures unique."""
    on_cores = [one for one in comparison.overlay if isinstance(one, OverlayStep)]
    wanted: list[tuple[bool, str, str, Callable[[], Figure]]] = [
        (
            _has_ratios(comparison),
            "Step time against both baselines",
            RATIO_CAPTION,
            lambda: ratio_figure(comparison, styles),
        ),
        (
            _has_points(curves, "test_percent"),
            "Test accuracy against training time",
            ACCURACY_CAPTION,
            lambda: accuracy_figure(curves, styles),
        ),
        (
            any(trades(arm) for arm in comparison.arms),
            "Accuracy against time saved",
            TRADE_CAPTION,
            lambda: trade_figure(comparison, styles),
        ),
        (
            bool(breakdowns),
            "Where the time of a step goes",
            BREAKDOWN_CAPTION,
            lambda: breakdown_figure(breakdowns),
        ),
        (
            any(arm.over_bound is not None for arm in comparison.arms),
            "What a step takes beyond its bound",
            OVER_BOUND_CAPTION,
            lambda: over_bound_figure(comparison.arms),
        ),
        (
            bool(on_cores),
            "A step on two cores of the overlay",
            CORES_CAPTION,
            lambda: cores_figure(on_cores),
        ),
        (
            bool(curves["accept_percent"].notna().any()),
            "Accepted samples",
            ACCEPT_CAPTION,
            lambda: accept_figure(curves, styles),
        ),
    ]
    mark = f" ({SYNTHETIC})" if comparison.synthetic else ""
    drawn = []
    for number, (possible, title, caption, draw) in enumerate(wanted):
        if possible:
            with drawing_style():
                svg = inline_svg(draw(), f"{name}-{number}", f"{title}{mark}: {comparison.title}")
            drawn.append(Illustration(title + mark, svg, caption))
    return drawn


def _has_ratios(comparison: ComparisonSummary) -> bool:
    return any(
        isinstance(found, ArmComparison)
        for arm in comparison.arms
        for found in (arm.one_thread, arm.equal_resources)
    )


def _has_points(curves: pd.DataFrame, name: str) -> bool:
    return bool((curves[name].notna() & curves["train_s"].notna()).any())
