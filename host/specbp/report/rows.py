"""Figures with rows for every arm: ratios to the baselines, where the time of a step goes, cores.

Names of arms stand above their rows, inside the figure, so that the figure is no wider than a
phone. Call these under `drawing.drawing_style`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from specbp.report.curves import ONE_ENGINE, REST, Breakdown
from specbp.report.overlay_steps import Bar, OverlayStep, bars
from specbp.report.palette import CORE_COLOURS, INK, OVER_COLOURS, PAPER, PART_COLOURS, Style
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary, NotCompared

WIDTH = 5.6
"""Width of every figure, inch; 72 SVG units each."""

ROW = 0.225
"""Height of one row of text or marks, inch."""

NAME_CHARACTERS = 54
"""What fits on one line across a figure."""

LAYER_SIZE = 8
"""Of the letters of a layer's name in a bar, point."""

LAYER_CHARACTERS = 62
"""As many of them are as long as the axis of a figure with cores."""

LINEAR_UP_TO = 4.0
"""Ratios further apart than this factor are drawn on a logarithmic scale."""

ONE_THREAD, EQUAL_THREADS = "1 thread", "equal threads"

_Shown = Sequence[tuple[ArmSummary, Sequence[tuple[str, ArmComparison | NotCompared]]]]


@dataclass(frozen=True)
class _Layout:
    """Where names and rows stand, counted downwards in rows."""

    names: tuple[tuple[str, float], ...]
    rows: tuple[tuple[float, ...], ...]
    bottom: float


def ratio_figure(comparison: ComparisonSummary, styles: Mapping[str, Style]) -> Figure:
    """Draw the ratio of every arm to both baselines, with intervals, seeds and bound."""
    shown = [(arm, _ratios(arm)) for arm in comparison.arms if _ratios(arm)]
    layout = _layout([(arm.name, len(ratios)) for arm, ratios in shown])
    figure, axes = _figure(layout, above=1.4, below=4.2)
    for (arm, ratios), heights in zip(shown, layout.rows, strict=True):
        for (label, against), y in zip(ratios, heights, strict=True):
            if isinstance(against, ArmComparison):
                _draw_ratio(axes, against, y, styles[arm.name], filled=label == ONE_THREAD)
            else:
                axes.text(1.0, y, f" {against.reason}", va="center", style="italic")
            if label == ONE_THREAD and arm.bound is not None:
                axes.plot([arm.bound] * 2, [y - 0.45, y + 0.45], color=INK, lw=2.4)
    _label_rows(axes, layout, [label for _, ratios in shown for label, _ in ratios])
    axes.axvline(1.0, color=INK, lw=1.0)
    _scale_ratios(axes, shown)
    for words, side, gap in (
        ("\N{LEFTWARDS ARROW} faster", "right", -5),
        ("slower \N{RIGHTWARDS ARROW}", "left", 5),
    ):
        axes.annotate(
            words, (1.0, -1.1), (gap, 0), textcoords="offset points", ha=side, va="center"
        )
    figure.legend(handles=_ratio_legend(shown), loc="outside lower center", ncols=2)
    return figure


def breakdown_figure(breakdowns: Sequence[Breakdown]) -> Figure:
    """Draw where the time of a mean step goes, one bar per engine."""
    layout = _layout([(item.arm, len(item.bars)) for item in breakdowns])
    figure, axes = _figure(layout, above=0.5, below=4.8)
    for item, heights in zip(breakdowns, layout.rows, strict=True):
        for bar, y in zip(item.bars, heights, strict=True):
            _draw_parts(axes, bar.parts, PART_COLOURS, y)
        span = [heights[0] - 0.5, heights[-1] + 0.5]
        axes.plot([item.step_ms] * 2, span, color=INK, lw=2.0)
    labels = [f"engine {bar.engine}" for item in breakdowns for bar in item.bars]
    _label_rows(axes, layout, labels)
    axes.set_xlim(0, 1.04 * max(_longest(item) for item in breakdowns))
    axes.set_xlabel("time in a mean step, ms")
    figure.legend(handles=_part_legend(breakdowns), loc="outside lower center", ncols=4)
    return figure


def over_bound_figure(arms: Sequence[ArmSummary]) -> Figure:
    """Draw what the mean step of every arm takes beyond its bound, part by part.

    Parts below zero are taken off before the others are stacked, so a bar ends at the mean step.
    """
    known = [(arm.name, arm.over_bound) for arm in arms if arm.over_bound is not None]
    layout = _layout([(name, 1) for name, _ in known])
    figure, axes = _figure(layout, above=0.5, below=4.8)
    for (_, over), (y,) in zip(known, layout.rows, strict=True):
        left = over.bound_ms + sum(ms for _, ms in over.parts if ms < 0)
        gains = [(name, ms) for name, ms in over.parts if ms > 0]
        _draw_parts(axes, [("bound", left), *gains], OVER_COLOURS, y)
        axes.plot([over.bound_ms] * 2, [y - 0.5, y + 0.5], color=INK, lw=2.0)
    _label_rows(axes, layout, [f"{over.step_ms / over.bound_ms:.2f}" for _, over in known])
    axes.set_xlim(0, 1.04 * max(max(over.step_ms, over.bound_ms) for _, over in known))
    axes.set_xlabel("time in a mean step, ms")
    drawn = {name for _, over in known for name, ms in over.parts if ms > 0}
    handles: list[Patch | Line2D] = [
        Patch(facecolor=light, edgecolor=INK, linewidth=0.5, label=name)
        for name, (light, _) in OVER_COLOURS.items()
        if name in drawn
    ]
    handles.append(_tick("bound"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def cores_figure(steps: Sequence[OverlayStep]) -> Figure:
    """Draw what both cores do in a step with everything accepted, once for the same programs."""
    groups: dict[int, list[OverlayStep]] = {}
    for one in steps:
        groups.setdefault(id(one.accepted), []).append(one)
    shown = [group[0].accepted for group in groups.values()]
    names = [_core_words(group) for group in groups.values()]
    layout = _layout([(name, len(step.times)) for name, step in zip(names, shown, strict=True)])
    figure, axes = _figure(layout, above=0.5, below=6.6)
    longest = max(max(step.cycles, step.bound_cycles) for step in shown)
    axes.set_xlim(0, 1.02 * longest)
    drawn: set[str] = set()
    for step, heights in zip(shown, layout.rows, strict=True):
        for core, y in enumerate(heights):
            found = bars(step, core)
            drawn |= {bar.kind for bar in found}
            _draw_core(axes, found, y, longest)
        axes.plot([step.bound_cycles] * 2, [heights[0] - 0.5, heights[-1] + 0.5], color=INK, lw=2)
    _label_rows(axes, layout, [f"core {core}" for step in shown for core in range(len(step.times))])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("clock cycles, predicted, nothing rejected")
    handles: list[Patch | Line2D] = [
        Patch(facecolor=light, edgecolor=INK, linewidth=0.5, label=kind)
        for kind, (light, _) in CORE_COLOURS.items()
        if kind in drawn
    ]
    figure.legend(handles=[*handles, _tick("bound")], loc="outside lower center", ncols=2)
    return figure


def _core_words(steps: Sequence[OverlayStep]) -> str:
    """Name the arms that run the same programs, and say how long a step of theirs takes."""
    methods = list(dict.fromkeys(one.method for one in steps))
    more = f" and {len(methods) - 1} more" if len(methods) > 1 else ""
    step = steps[0].accepted
    return f"{methods[0]}{more}: {step.over_sequential:.3f} of one core, bound {step.bound:.3f}"


def _draw_core(axes: Axes, found: Sequence[Bar], y: float, longest: float) -> None:
    """Draw the bars of a core, with the name of the layer where it fits."""
    for bar in found:
        length = bar.ended - bar.started
        colour = CORE_COLOURS[bar.kind][0]
        axes.barh(
            y, length, left=bar.started, height=0.82, color=colour, edgecolor=INK, linewidth=0.3
        )
        if bar.layer and len(bar.layer) + 1 < LAYER_CHARACTERS * length / longest:
            middle = bar.started + length / 2
            axes.text(middle, y, bar.layer, size=LAYER_SIZE, ha="center", va="center")


def _layout(groups: Sequence[tuple[str, int]]) -> _Layout:
    """Place each name above its rows; a long name takes several lines."""
    y, names, rows = 0.0, [], []
    for name, number in groups:
        wrapped = "\n".join(textwrap.wrap(name, NAME_CHARACTERS)) or name
        lines = 1 + wrapped.count("\n")
        names.append((wrapped, y + (lines - 1) / 2))
        y += lines
        rows.append(tuple(y + number for number in range(number)))
        y += number + 0.5
    return _Layout(tuple(names), tuple(rows), y)


def _figure(layout: _Layout, above: float, below: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, ROW * (layout.bottom + above + below)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylim(layout.bottom - 0.3, -above)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure, axes


def _label_rows(axes: Axes, layout: _Layout, labels: Sequence[str]) -> None:
    axes.set_yticks([y for heights in layout.rows for y in heights], labels)
    for name, y in layout.names:
        text = axes.annotate(name, (0.01, y), xycoords=("figure fraction", "data"), va="center")
        text.set(weight="bold", linespacing=1.25, in_layout=False)
        text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0})


def _ratios(arm: ArmSummary) -> list[tuple[str, ArmComparison | NotCompared]]:
    """Return what `arm` is held against; a sequential arm is itself the one at equal threads."""
    if not arm.sequential:
        return [(ONE_THREAD, arm.one_thread), (EQUAL_THREADS, arm.equal_resources)]
    return [(ONE_THREAD, arm.one_thread)] if isinstance(arm.one_thread, ArmComparison) else []


def _draw_ratio(axes: Axes, against: ArmComparison, y: float, style: Style, filled: bool) -> None:
    time = against.time
    axes.plot(
        time.by_start, [y + 0.36] * len(time.by_start), "|", color=style.colour, ms=5, mew=1.0
    )
    if time.low is not None and time.high is not None:
        axes.plot([time.low, time.high], [y, y], color=style.colour, lw=2.2)
    face = style.colour if filled else PAPER
    axes.plot([time.ratio], [y], style.marker, color=style.colour, mfc=face, ms=7, mew=1.5)


def _scale_ratios(axes: Axes, shown: _Shown) -> None:
    """Set limits that hold every mark and leave room for words on both sides of 1.

    The scale is logarithmic where the marks lie far apart: a ratio of 10 would hide the others.
    """
    found = [1.0, *(arm.bound for arm, _ in shown if arm.bound is not None)]
    for _, ratios in shown:
        for _, against in ratios:
            if isinstance(against, ArmComparison):
                time = against.time
                ends = [end for end in (time.low, time.high) if end is not None]
                found += [time.ratio, *time.by_start, *ends]
    low, high = min(found), max(found)
    label = "step time / step time of sequential training"
    if high / low <= LINEAR_UP_TO:
        room = max(high - low, 0.2)
        left, right = min(low, 1 - 0.3 * room), max(high, 1 + 0.3 * room)
        axes.set_xlim(left - 0.05 * room, right + 0.05 * room)
        axes.set_xlabel(label)
        return
    axes.set_xscale("log")
    room = high / low
    axes.set_xlim(min(low, room**-0.3) * room**-0.05, max(high, room**0.3) * room**0.05)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(f"{label} (logarithmic)")


def _ratio_legend(
    shown: _Shown,
) -> list[Line2D]:
    def mark(label: str, marker: str, size: float, face: str, line: str = "") -> Line2D:
        return Line2D(
            [], [], color=INK, marker=marker, ms=size, mfc=face, ls=line, lw=2.2, label=label
        )

    marks = [
        mark("against 1 thread, 95%", "o", 7, INK, "-"),
        mark("against equal threads, 95%", "o", 7, PAPER, "-"),
        mark("each seed alone", "|", 5, INK),
    ]
    if any(arm.bound is not None for arm, _ in shown):
        bound = mark("ideal bound (1 thread)", "|", 11, INK)
        bound.set_markeredgewidth(2.4)
        marks.append(bound)
    return marks


def _draw_parts(
    axes: Axes,
    parts: Sequence[tuple[str, float]],
    colours: Mapping[str, tuple[str, str]],
    y: float,
) -> None:
    left = 0.0
    for name, ms in parts:
        colour = colours[name][0]
        axes.barh(y, ms, left=left, height=0.74, color=colour, edgecolor=INK, linewidth=0.5)
        left += ms


def _longest(item: Breakdown) -> float:
    return max(item.step_ms, *(sum(ms for _, ms in bar.parts) for bar in item.bars))


def _part_legend(breakdowns: Sequence[Breakdown]) -> list[Patch | Line2D]:
    drawn = {name for item in breakdowns for bar in item.bars for name, _ in bar.parts}
    handles: list[Patch | Line2D] = [
        Patch(facecolor=PART_COLOURS[name][0], edgecolor=INK, linewidth=0.5, label=name)
        for name in (*ONE_ENGINE, REST)
        if name in drawn
    ]
    return [*handles, _tick("whole step")]


def _tick(label: str) -> Line2D:
    return Line2D([], [], color=INK, marker="|", ms=11, mew=2.0, ls="", label=label)
