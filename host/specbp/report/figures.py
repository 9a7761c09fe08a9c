"""The figures of one comparison as inline SVG, with their legends, and how to read each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from specbp.report.curves import Breakdown
from specbp.report.drawing import drawing_style
from specbp.report.legends import Drawing, swatch
from specbp.report.overlay_steps import TwoCoreStep
from specbp.report.overview import overview
from specbp.report.palette import Style
from specbp.report.plots import accept_figure, accuracy_figure, trade_figure, trades
from specbp.report.rows import breakdown_figure, cores_figure, over_bound_figure, ratio_figure
from specbp.report.summary import ArmComparison, ComparisonSummary
from specbp.report.svg import inline_svg, shared_shapes, shared_styles
from specbp.report.titles import axis_words
from specbp.report.wording import SYNTHETIC


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: id of the explanation in the page.
        title: heading of the figures of this kind.
        reading: how to read them.
    """

    name: str
    title: str
    reading: str


@dataclass(frozen=True)
class Illustration:
    """A figure as it stands in the page.

    Attributes:
        kind: what kind of figure it is.
        title: heading above it.
        svg: drawing as SVG.
        legend: mark and meaning of each entry of the legend; the mark as SVG markup, or as
            the id of such markup in the page.
    """

    kind: Kind
    title: str
    svg: str
    legend: tuple[tuple[str, str], ...]


ALL = 99.95
"""Accepted samples, %, that are all of them in any figure."""

OVERVIEW = Kind(
    "overview",
    "All comparisons at a glance",
    "Each mark is the time of a step over that of sequential training on one thread, stream or "
    "core in the same comparison, with its 95% interval: below 1 an arm is faster. Sequential "
    "training on more threads, streams or cores is in grey: an arm is worth its second engine "
    "only where it lies below that, too.",
)
RATIO = Kind(
    "ratio",
    "Step time against both baselines",
    "Left of the line at 1 an arm is faster than its baseline, right of it slower. Filled mark: "
    "against sequential training on one thread, stream or core. Hollow mark: against sequential "
    "training on as many as the arm has. Bars are 95% intervals, thin ticks below them the ratio "
    "of each start alone, thick ticks the ideal bound of the arm against one.",
)
ACCURACY = Kind(
    "accuracy",
    "Test accuracy against training time",
    "Higher and further left is better: more accuracy after less time. Thick lines are means over "
    "the seeds of accuracy and of time after each epoch, thin lines single seeds.",
)
ACCEPT = Kind(
    "accepted",
    "Accepted samples",
    "Share of the samples whose speculated gradient was kept. Rejected samples get the ordinary "
    "backward on top of the speculated one, so a low share costs time; a high share is not by "
    "itself good for accuracy. Thick lines are means over the seeds, thin lines single seeds.",
)
TRADE = Kind(
    "trade",
    "Accuracy against time saved",
    "Left of the line at 1 an arm saves time against sequential training on one thread, stream or "
    "core; above the line at 0 it gains test accuracy, below it loses. Bars are 95% intervals of "
    "both. The arms of one gate at several thresholds form a curve.",
)
BREAKDOWN = Kind(
    "breakdown",
    "Where the time of a step goes",
    "The two bars of an arm with two engines are spent at the same time: engine 0 runs forward, "
    "engine 1 the speculated backward, of which engine 0 does a part where engines are balanced. "
    "Bars are durations in the mean step, not moments: "
    "where the bar of engine 1 is shorter than the whole step (thick tick), that engine was idle "
    "for the difference. Wait is the time engine 0 waited for engine 1. Redo is the ordinary "
    "backward of rejected samples. Recall and store read and write the cache. Rest is what was "
    "not timed apart.",
)
OVER_BOUND = Kind(
    "over-bound",
    "What a step takes beyond its bound",
    "From the bound (thick tick) to the mean step (end of the bar); the number of a row is their "
    "ratio. Contention: passes slower beside each other than those of sequential training are "
    "alone. Imbalance: an engine with nothing to do, beyond what the bound has of it. Rejects: "
    "ordinary deltas beyond those the bound has at this accept rate. Cache upkeep: recall and "
    "store. Synchronisation: handing work over, and bookkeeping between the parts. A moment "
    "belongs half to each engine. A part in which the step did better than the bound has it "
    "begins the others left of the tick.",
)
CORES = Kind(
    "cores",
    "A step on two cores of the overlay",
    "What the compute units of both cores do over a step in which the gate rejects nothing, as the "
    "cycle model predicts it for the programs that this version compiles; each of 400 parts of a "
    "step is drawn as what takes most of it, the gate wherever it is. Bars of one colour next to "
    "each other are different layers. After its last bar a core has ended. The thick tick is the "
    "bound: the same passes, and nothing but they takes time.",
)


def overview_illustrations(
    comparisons: Sequence[ComparisonSummary], styles: Mapping[str, Style]
) -> list[Illustration]:
    """Draw all comparisons together, in as few figures as can be read."""
    with drawing_style():
        field, panels = overview(comparisons, styles)
    over = f"Step time over {axis_words(field)}" if field else "Step time in every comparison"
    return [
        _illustration(
            OVERVIEW, f"o{number}", ": ".join(filter(None, (over, panel.title))), panel.drawing
        )
        for number, panel in enumerate(panels)
    ]


def illustrations(
    name: str,
    comparison: ComparisonSummary,
    curves: pd.DataFrame,
    breakdowns: Sequence[Breakdown],
    styles: Mapping[str, Style],
) -> list[Illustration]:
    """Draw what `comparison` has numbers for.

    Args:
        name: prefix of the ids in the figures, unique within the page.
        comparison: numbers of the comparison.
        curves: course of the training of every arm.
        breakdowns: parts of the mean step of every arm.
        styles: the look of every arm.
    """
    on_cores = [one for one in comparison.overlay if isinstance(one, TwoCoreStep)]
    wanted: list[tuple[bool, Kind, Callable[[], Drawing]]] = [
        (_has_ratios(comparison), RATIO, lambda: ratio_figure(comparison, styles)),
        (
            any(trades(arm) for arm in comparison.arms),
            TRADE,
            lambda: trade_figure(comparison, styles),
        ),
        (
            _has_course(curves, "test_percent"),
            ACCURACY,
            lambda: accuracy_figure(curves, styles),
        ),
        (bool(breakdowns), BREAKDOWN, lambda: breakdown_figure(breakdowns)),
        (
            any(arm.over_bound is not None for arm in comparison.arms),
            OVER_BOUND,
            lambda: over_bound_figure(comparison.arms),
        ),
        (bool(on_cores), CORES, lambda: cores_figure(on_cores)),
        (
            _has_course(_gated(curves), "accept_percent"),
            ACCEPT,
            lambda: accept_figure(_gated(curves), styles),
        ),
    ]
    mark = f" ({SYNTHETIC})" if comparison.synthetic else ""
    drawn = []
    for number, (possible, kind, draw) in enumerate(wanted):
        if possible:
            with drawing_style():
                drawn.append(_illustration(kind, f"{name}-{number}", kind.title + mark, draw()))
    return drawn


@dataclass(frozen=True)
class Gallery:
    """All illustrations of a page, which share what they have in common.

    Attributes:
        rules: style rules of their marks.
        shapes: definitions of the marks that figures share.
        marks: the marks of all legends, by id.
        groups: the illustrations, their legends with ids in place of marks.
    """

    rules: str
    shapes: str
    marks: Mapping[str, str]
    groups: tuple[tuple[Illustration, ...], ...]

    @property
    def size(self) -> int:
        """Characters of all figures together."""
        svgs = (one.svg for group in self.groups for one in group)
        return len(self.rules) + len(self.shapes) + sum(map(len, svgs))


def gallery(groups: Sequence[Sequence[Illustration]]) -> Gallery:
    """Let all illustrations of a page share style rules and marks of legends."""
    drawn = [one for group in groups for one in group]
    marks = list(dict.fromkeys(mark for one in drawn for mark, _ in one.legend))
    rules, texts = shared_styles([*marks, *(one.svg for one in drawn)])
    names = {mark: f"k{number}" for number, mark in enumerate(marks)}
    shapes, svgs = shared_shapes(texts[len(marks) :])
    left = iter(svgs)

    def shared(one: Illustration) -> Illustration:
        legend = tuple((names[mark], label) for mark, label in one.legend)
        return replace(one, svg=next(left), legend=legend)

    return Gallery(
        rules,
        shapes,
        dict(zip(names.values(), texts, strict=False)),
        tuple(tuple(shared(one) for one in group) for group in groups),
    )


def _illustration(kind: Kind, name: str, title: str, drawing: Drawing) -> Illustration:
    legend = tuple((swatch(key), key.label) for key in drawing.keys)
    return Illustration(kind, title, inline_svg(drawing.figure, name, title), legend)


def _has_ratios(comparison: ComparisonSummary) -> bool:
    return any(
        isinstance(found, ArmComparison)
        for arm in comparison.arms
        for found in (arm.one_thread, arm.equal_resources)
    )


def _gated(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of arms that rejected samples."""
    least = curves.groupby("arm")["accept_percent"].transform("min")
    return curves[least < ALL]


def _has_course(curves: pd.DataFrame, name: str) -> bool:
    """Return whether there is more than one epoch to draw; the table has the numbers of one."""
    known = curves[curves[name].notna() & curves["train_s"].notna()]
    return known["epoch"].nunique() > 1
