"""The figures over all comparisons of a report, along whatever its matrix varies.

Ratios over a number that varies, such as the batch size, are curves; where nothing of the kind
varies, they are marks in a row for every arm. Call these under `drawing.drawing_style`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from specbp.report.legends import Drawing, Key, arm_key
from specbp.report.palette import ARM_COLOURS, GREYS, INK, MARKERS, Style
from specbp.report.rows import (
    WIDTH,
    draw_ratio,
    label_rows,
    mark_faster_and_slower,
    row_figure,
    row_layout,
    scale_ratios,
)
from specbp.report.schemes import backend_title
from specbp.report.summary import ArmComparison, ComparisonSummary
from specbp.report.svg import with_tip
from specbp.report.titles import axis_words, distinguishing, titles
from specbp.report.wording import interval_words

HEIGHT = 3.4
"""Height of a figure with curves, inch."""

LEAST_POINTS = 3
"""Values along an axis that are worth a curve."""

WIDE = 8
"""Values that lie further apart than this factor get a logarithmic axis."""


@dataclass(frozen=True)
class Panel:
    """A figure over several comparisons.

    Attributes:
        title: what the comparisons have in common.
        drawing: the figure and its legend.
    """

    title: str
    drawing: Drawing


def overview(
    comparisons: Sequence[ComparisonSummary], styles: Mapping[str, Style]
) -> tuple[str, list[Panel]]:
    """Draw the time ratios of all comparisons in as few figures as can be read.

    Returns:
        The field along which curves run, empty where there are none, and the figures; none for
        a single comparison, whose own figure shows as much.
    """
    shown = [comparison for comparison in comparisons if _timed(comparison)]
    if len(shown) < 2:
        return "", []
    field = _axis(shown)
    if not field:
        return "", [Panel("", _marks(shown))]
    panels = []
    for title, group in _panels(shown, field).items():
        for where, arms in _by_backend(group).items():
            words = ", ".join(word for word in (title, where) if word)
            panels.append(Panel(words, _curves(group, arms, field, styles)))
    return field, panels


def _timed(comparison: ComparisonSummary) -> bool:
    return any(isinstance(arm.one_thread, ArmComparison) for arm in comparison.arms)


def _axis(comparisons: Sequence[ComparisonSummary]) -> str:
    """Return the first number that varies often enough for curves, if there is one."""
    works = [comparison.work for comparison in comparisons]
    for field in distinguishing(works):
        values = [work[field] for work in works]
        if not all(isinstance(value, int | float) for value in values):
            continue
        groups = _panels(comparisons, field).values()
        if all(len(group) >= LEAST_POINTS for group in groups):
            return field
    return ""


def _panels(
    comparisons: Sequence[ComparisonSummary], field: str
) -> dict[str, list[ComparisonSummary]]:
    """Return the comparisons that differ in `field` alone, by what tells the groups apart."""
    others = [name for name in distinguishing([one.work for one in comparisons]) if name != field]
    groups: dict[tuple[object, ...], list[ComparisonSummary]] = {}
    for comparison in comparisons:
        groups.setdefault(tuple(comparison.work[name] for name in others), []).append(comparison)
    names = titles([group[0].work for group in groups.values()], among=others)
    return dict(zip(names, groups.values(), strict=True))


def _by_backend(group: Sequence[ComparisonSummary]) -> dict[str, list[str]]:
    """Return names of arms by the backend they say that they ran on, sequential ones first."""
    found: dict[str, list[str]] = {}
    for comparison in group:
        for arm in comparison.arms:
            if isinstance(arm.one_thread, ArmComparison):
                names = found.setdefault(backend_title(arm.backend), [])
                if arm.name not in names:
                    names.append(arm.name)
    return found if len(found) > 1 else {"": [name for names in found.values() for name in names]}


def _curves(
    group: Sequence[ComparisonSummary],
    names: Sequence[str],
    field: str,
    styles: Mapping[str, Style],
) -> Drawing:
    """Draw the ratio of every arm to one worker over the field."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(1.0, color=INK, lw=1.0)
    ticks = sorted({float(comparison.work[field]) for comparison in group})
    highs, lows = [1.0], [1.0]
    for name in names:
        look = styles[name]
        points = [
            (float(comparison.work[field]), arm.one_thread)
            for comparison in group
            for arm in comparison.arms
            if arm.name == name and isinstance(arm.one_thread, ArmComparison)
        ]
        dash = (0, look.dash) if isinstance(look.dash, tuple) else "-"
        xs, ratios = [x for x, _ in points], [against.time.ratio for _, against in points]
        axes.plot(xs, ratios, color=look.colour, lw=1.6, ls=dash)
        for x, against in points:
            time = against.time
            if time.low is not None and time.high is not None:
                axes.plot([x, x], [time.low, time.high], color=look.colour, lw=1.2)
                lows.append(time.low)
                highs.append(time.high)
            (mark,) = axes.plot([x], [time.ratio], look.marker, color=look.colour, ms=6, mew=0)
            interval = interval_words(time.low, time.high, "{:.3f}")
            with_tip(mark, f"{name}, {x:g}: {time.ratio:.3f} {interval}".strip())
        lows += ratios
        highs += ratios
    if ticks[0] > 0 and ticks[-1] / ticks[0] >= WIDE:
        axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if max(highs) / min(lows) > 2 * WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(min(0.0, min(lows)), 1.05 * max(highs))
    axes.set_xlabel(axis_words(field))
    noun = " or ".join(sorted({comparison.workers for comparison in group}))
    axes.set_ylabel(f"step time / sequential, 1 {noun}")
    return Drawing(figure, tuple(arm_key(name, styles[name]) for name in names))


def _marks(comparisons: Sequence[ComparisonSummary]) -> Drawing:
    """Draw a row for every arm, with its ratio to one worker in each comparison."""
    looks = {
        comparison.title: Style(
            ARM_COLOURS[GREYS + number % (len(ARM_COLOURS) - GREYS)][0],
            MARKERS[number % len(MARKERS)],
            "",
        )
        for number, comparison in enumerate(comparisons)
    }
    rows: dict[str, list[tuple[str, ArmComparison]]] = {}
    for comparison in comparisons:
        for arm in comparison.arms:
            if isinstance(arm.one_thread, ArmComparison):
                rows.setdefault(arm.name, []).append((comparison.title, arm.one_thread))
    layout = row_layout([(name, len(found)) for name, found in rows.items()], spacing=0.55)
    figure, axes = row_figure(layout, above=1.4, below=2.2)
    for found, heights in zip(rows.values(), layout.rows, strict=True):
        for (title, against), y in zip(found, heights, strict=True):
            draw_ratio(
                axes, against, y, looks[title], filled=True, about=f"{title}: ", repeats=False
            )
    label_rows(axes, layout, ["" for heights in layout.rows for _ in heights])
    scale_ratios(axes, [against for found in rows.values() for _, against in found])
    mark_faster_and_slower(axes)
    keys = [Key(title, look.colour, look.marker, line=2.2, edge=0) for title, look in looks.items()]
    return Drawing(figure, tuple(keys))
