"""Figures with rows for every arm: ratios to the baselines, where the time of a step goes, cores.

Names of arms stand above their rows, inside the figure, so that the figure is no wider than a
phone. Call these under `drawing.drawing_style`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from specbp.report.curves import ONE_ENGINE, REST, Breakdown
from specbp.report.legends import Drawing, Key, hollow
from specbp.report.overlay_steps import CoreBar, TwoCoreStep, bars
from specbp.report.palette import CORE_COLOURS, INK, OVER_COLOURS, PAPER, PART_COLOURS, Style
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary, NotCompared
from specbp.report.svg import with_tip
from specbp.report.wording import interval_words, milliseconds, number_words

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

_Shown = Sequence[tuple[ArmSummary, Sequence[tuple[str, ArmComparison | NotCompared]]]]


@dataclass(frozen=True)
class Layout:
    """Where names and rows stand, counted downwards in rows."""

    names: tuple[tuple[str, float], ...]
    rows: tuple[tuple[float, ...], ...]
    bottom: float


def ratio_figure(comparison: ComparisonSummary, styles: Mapping[str, Style]) -> Drawing:
    """Draw the ratio of every arm to both baselines, with intervals, seeds and bound."""
    shown = [(arm, _ratios(arm)) for arm in comparison.arms if _ratios(arm)]
    layout = row_layout([(arm.name, len(ratios)) for arm, ratios in shown])
    figure, axes = row_figure(layout, above=1.4, below=2.2)
    for (arm, ratios), heights in zip(shown, layout.rows, strict=True):
        for number, ((_, against), y) in enumerate(zip(ratios, heights, strict=True)):
            if isinstance(against, ArmComparison):
                draw_ratio(axes, against, y, styles[arm.name], filled=not number)
            else:
                axes.text(1.0, y, f" {against.reason}", va="center", style="italic")
            if not number and arm.bound is not None:
                (tick,) = axes.plot([arm.bound] * 2, [y - 0.45, y + 0.45], color=INK, lw=2.4)
                with_tip(tick, f"ideal bound {arm.bound:.3f}")
    label_rows(axes, layout, [label for _, ratios in shown for label, _ in ratios])
    _scale_ratios(axes, shown)
    mark_faster_and_slower(axes)
    return Drawing(figure, _ratio_keys(comparison, shown))


def mark_faster_and_slower(axes: Axes) -> None:
    """Draw the line at 1 and say on which side of it an arm is faster."""
    axes.axvline(1.0, color=INK, lw=1.0)
    for words, side, gap in (
        ("\N{LEFTWARDS ARROW} faster", "right", -5),
        ("slower \N{RIGHTWARDS ARROW}", "left", 5),
    ):
        axes.annotate(
            words, (1.0, -1.1), (gap, 0), textcoords="offset points", ha=side, va="center"
        )


def breakdown_figure(breakdowns: Sequence[Breakdown]) -> Drawing:
    """Draw where the time of a mean step goes, one bar per engine."""
    layout = row_layout([(item.arm, len(item.bars)) for item in breakdowns])
    figure, axes = row_figure(layout, above=0.5, below=2.2)
    for item, heights in zip(breakdowns, layout.rows, strict=True):
        for bar, y in zip(item.bars, heights, strict=True):
            _draw_parts(axes, bar.parts, PART_COLOURS, y)
        span = [heights[0] - 0.5, heights[-1] + 0.5]
        (tick,) = axes.plot([item.step_ms] * 2, span, color=INK, lw=2.0)
        with_tip(tick, f"whole step {milliseconds(item.step_ms)} ms")
    labels = [f"engine {bar.engine}" for item in breakdowns for bar in item.bars]
    label_rows(axes, layout, labels)
    axes.set_xlim(0, 1.04 * max(_longest(item) for item in breakdowns))
    axes.set_xlabel("time in a mean step, ms")
    return Drawing(figure, _part_keys(breakdowns))


def over_bound_figure(arms: Sequence[ArmSummary]) -> Drawing:
    """Draw what the mean step of every arm takes beyond its bound, part by part.

    Parts below zero are taken off before the others are stacked, so a bar ends at the mean step.
    """
    known = [(arm.name, arm.over_bound) for arm in arms if arm.over_bound is not None]
    layout = row_layout([(name, 1) for name, _ in known])
    figure, axes = row_figure(layout, above=0.5, below=2.2)
    for (_, over), (y,) in zip(known, layout.rows, strict=True):
        left = over.bound_ms + sum(ms for _, ms in over.parts if ms < 0)
        gains = [(name, ms) for name, ms in over.parts if ms > 0]
        _draw_parts(axes, [("bound", left), *gains], OVER_COLOURS, y)
        (tick,) = axes.plot([over.bound_ms] * 2, [y - 0.5, y + 0.5], color=INK, lw=2.0)
        with_tip(tick, f"bound {milliseconds(over.bound_ms)} ms")
    label_rows(axes, layout, [f"{over.step_ms / over.bound_ms:.2f}" for _, over in known])
    axes.set_xlim(0, 1.04 * max(max(over.step_ms, over.bound_ms) for _, over in known))
    axes.set_xlabel("time in a mean step, ms")
    drawn = {name for _, over in known for name, ms in over.parts if ms > 0}
    patches = [
        Key(name, light, patch=True) for name, (light, _) in OVER_COLOURS.items() if name in drawn
    ]
    return Drawing(figure, (*patches, _tick("bound")))


def cores_figure(steps: Sequence[TwoCoreStep]) -> Drawing:
    """Draw what both cores do in a step with everything accepted, once for the same programs."""
    groups: dict[int, list[TwoCoreStep]] = {}
    for one in steps:
        groups.setdefault(id(one.accepted), []).append(one)
    shown = [group[0].accepted for group in groups.values()]
    names = [_core_words(group) for group in groups.values()]
    layout = row_layout([(name, len(step.times)) for name, step in zip(names, shown, strict=True)])
    figure, axes = row_figure(layout, above=0.5, below=2.2)
    longest = max(max(step.cycles, step.bound_cycles) for step in shown)
    axes.set_xlim(0, 1.02 * longest)
    drawn: set[str] = set()
    for step, heights in zip(shown, layout.rows, strict=True):
        for core, y in enumerate(heights):
            found = bars(step, core)
            drawn |= {bar.kind for bar in found}
            _draw_core(axes, found, y, longest)
        axes.plot([step.bound_cycles] * 2, [heights[0] - 0.5, heights[-1] + 0.5], color=INK, lw=2)
    label_rows(axes, layout, [f"core {core}" for step in shown for core in range(len(step.times))])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("clock cycles, predicted, nothing rejected")
    patches = [
        Key(kind, light, patch=True) for kind, (light, _) in CORE_COLOURS.items() if kind in drawn
    ]
    return Drawing(figure, (*patches, _tick("bound")))


def _core_words(steps: Sequence[TwoCoreStep]) -> str:
    """Name the arms that run the same programs, and say how long a step of theirs takes."""
    methods = list(dict.fromkeys(one.method for one in steps))
    more = f" and {len(methods) - 1} more" if len(methods) > 1 else ""
    step = steps[0].accepted
    return f"{methods[0]}{more}: {step.over_sequential:.3f} of one core, bound {step.bound:.3f}"


def _draw_core(axes: Axes, found: Sequence[CoreBar], y: float, longest: float) -> None:
    """Draw the bars of a core, with the name of the layer where it fits."""
    for bar in found:
        length = bar.ended - bar.started
        colour = CORE_COLOURS[bar.kind][0]
        (drawn,) = axes.barh(
            y, length, left=bar.started, height=0.82, color=colour, edgecolor=INK, linewidth=0.3
        )
        with_tip(drawn, f"{bar.kind} {bar.layer}".strip() + f", about {length:,.0f} cycles")
        if bar.layer and len(bar.layer) + 1 < LAYER_CHARACTERS * length / longest:
            middle = bar.started + length / 2
            axes.text(middle, y, bar.layer, size=LAYER_SIZE, ha="center", va="center")


def row_layout(groups: Sequence[tuple[str, int]], spacing: float = 1.0) -> Layout:
    """Place each name above its rows, `spacing` apart; a long name takes several lines."""
    y, names, rows = 0.0, [], []
    for name, number in groups:
        wrapped = "\n".join(textwrap.wrap(name, NAME_CHARACTERS)) or name
        lines = 1 + wrapped.count("\n")
        names.append((wrapped, y + (lines - 1) / 2))
        y += lines
        rows.append(tuple(y + spacing * row for row in range(number)))
        y += spacing * number + 0.5
    return Layout(tuple(names), tuple(rows), y)


def row_figure(layout: Layout, above: float, below: float) -> tuple[Figure, Axes]:
    """Return an empty figure for `layout`, with so many rows of room above and below."""
    figure = Figure(figsize=(WIDTH, ROW * (layout.bottom + above + below)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylim(layout.bottom - 0.3, -above)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure, axes


def label_rows(axes: Axes, layout: Layout, labels: Sequence[str]) -> None:
    """Write the names above their rows, and a label beside each row."""
    axes.set_yticks([y for heights in layout.rows for y in heights], labels)
    for name, y in layout.names:
        text = axes.annotate(name, (0.01, y), xycoords=("figure fraction", "data"), va="center")
        text.set(weight="bold", linespacing=1.25, in_layout=False)
        text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0})


def _ratios(arm: ArmSummary) -> list[tuple[str, ArmComparison | NotCompared]]:
    """Return what `arm` is held against; a sequential arm is itself the one at equal threads."""
    one, equal = f"1 {arm.workers}", f"equal {arm.workers}s"
    if not arm.sequential:
        return [(one, arm.one_thread), (equal, arm.equal_resources)]
    return [(one, arm.one_thread)] if isinstance(arm.one_thread, ArmComparison) else []


def draw_ratio(
    axes: Axes,
    against: ArmComparison,
    y: float,
    style: Style,
    filled: bool,
    about: str = "",
    repeats: bool = True,
) -> None:
    """Draw a ratio with its interval, and the ratio of each repeat as a thin tick below it.

    Args:
        axes: where to draw.
        against: ratio with its interval.
        y: height of the row.
        style: colour and marker of the mark.
        filled: whether the mark is filled, or hollow.
        about: first words of what the mark shows when it is pointed at.
        repeats: whether to draw the ratio of each repeat.
    """
    time = against.time
    if repeats and len(time.by_repeat) > 1:
        xs = [x for ratio in time.by_repeat for x in (ratio, ratio, math.nan)]
        ys = [y + 0.2, y + 0.5, math.nan] * len(time.by_repeat)
        axes.plot(xs, ys, color=style.colour, lw=1.0)
    if time.low is not None and time.high is not None:
        axes.plot([time.low, time.high], [y, y], color=style.colour, lw=2.2)
    face = style.colour if filled else PAPER
    (mark,) = axes.plot(
        [time.ratio], [y], style.marker, color=style.colour, mfc=face, ms=7, mew=1.5
    )
    interval = interval_words(time.low, time.high, "{:.3f}")
    with_tip(mark, f"{about}{time.ratio:.3f} {interval}".strip())


def _scale_ratios(axes: Axes, shown: _Shown) -> None:
    """Set limits that hold every mark and leave room for words on both sides of 1.

    The scale is logarithmic where the marks lie far apart: a ratio of 10 would hide the others.
    """
    found = [arm.bound for arm, _ in shown if arm.bound is not None]
    compared = [
        against
        for _, ratios in shown
        for _, against in ratios
        if isinstance(against, ArmComparison)
    ]
    scale_ratios(axes, compared, found)


def scale_ratios(axes: Axes, compared: Sequence[ArmComparison], more: Sequence[float] = ()) -> None:
    """Set limits of the x axis that hold every mark of `compared` and `more`, and 1."""
    found = [1.0, *more]
    for against in compared:
        time = against.time
        ends = [end for end in (time.low, time.high) if end is not None]
        found += [time.ratio, *time.by_repeat, *ends]
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


def _ratio_keys(comparison: ComparisonSummary, shown: _Shown) -> tuple[Key, ...]:
    noun = comparison.workers
    keys = [
        Key(f"against sequential training on 1 {noun}, 95% interval", marker="o", line=2.2),
        hollow(label=f"against sequential training on equal {noun}s, 95% interval"),
    ]
    if any(
        isinstance(against, ArmComparison) and len(against.time.by_repeat) > 1
        for _, ratios in shown
        for _, against in ratios
    ):
        keys.append(Key("each repeat alone", marker="|", size=6, edge=1.0))
    if any(arm.bound is not None for arm, _ in shown):
        keys.append(Key(f"ideal bound, against 1 {noun}", marker="|", size=11, edge=2.4))
    return tuple(keys)


def _draw_parts(
    axes: Axes,
    parts: Sequence[tuple[str, float]],
    colours: Mapping[str, tuple[str, str]],
    y: float,
) -> None:
    left = 0.0
    for name, ms in parts:
        colour = colours[name][0]
        (bar,) = axes.barh(
            y, ms, left=left, height=0.74, color=colour, edgecolor=INK, linewidth=0.5
        )
        with_tip(bar, f"{name} {number_words(ms, '{:.3g}')} ms")
        left += ms


def _longest(item: Breakdown) -> float:
    return max(item.step_ms, *(sum(ms for _, ms in bar.parts) for bar in item.bars))


def _part_keys(breakdowns: Sequence[Breakdown]) -> tuple[Key, ...]:
    drawn = {name for item in breakdowns for bar in item.bars for name, _ in bar.parts}
    patches = [
        Key(name, PART_COLOURS[name][0], patch=True)
        for name in (*ONE_ENGINE, REST)
        if name in drawn
    ]
    return (*patches, _tick("whole step"))


def _tick(label: str) -> Key:
    return Key(label, marker="|", size=11, edge=2.0)
