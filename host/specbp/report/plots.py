"""Figures over the course of training: accuracy against time, accepted share by epoch.

Call these under `drawing.drawing_style`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from specbp.report.curves import mean_over_seeds
from specbp.report.legends import Drawing, arm_key
from specbp.report.palette import INK, Style
from specbp.report.rows import WIDTH
from specbp.report.statistics import MeanInterval
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary
from specbp.report.svg import with_tip
from specbp.report.wording import interval_words, number_words, possible_change

PLOT_HEIGHT = 3.1
"""Height of a curve figure, inch."""

MARKS = 4
"""About how many markers a curve carries."""

MOST_WITH_SEEDS = 8
"""Arms beside which the curves of single seeds can still be told apart."""

LEAST_SPAN = 2.0
"""Percentage points that an axis of accuracies spans at least, so that a lone point has room."""


def accuracy_figure(curves: pd.DataFrame, styles: Mapping[str, Style]) -> Drawing:
    """Draw test accuracy against training time: the mean of the seeds, and each seed thinly."""
    drawing, axes = _curves(curves, styles, x="train_s", y="test_percent", unit="%")
    axes.set_xlabel("training time so far, s")
    axes.set_ylabel("test accuracy, %")
    axes.set_xlim(0, 1.05 * float(curves["train_s"].max()))
    axes.set_ylim(_limits(curves["test_percent"].dropna().tolist(), 0.0, 100.0))
    return drawing


def accept_figure(curves: pd.DataFrame, styles: Mapping[str, Style]) -> Drawing:
    """Draw the accepted share of the samples in every epoch, mean of the seeds and each seed.

    Args:
        curves: the arms that rejected any.
        styles: the look of every arm.
    """
    drawing, axes = _curves(curves, styles, x="epoch", y="accept_percent", unit="%")
    axes.set_xlabel("epoch")
    axes.set_ylabel("accepted samples, %")
    axes.set_ylim(-3, 103)
    axes.set_xlim(curves["epoch"].min() - 0.5, curves["epoch"].max() + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return drawing


def trade_figure(comparison: ComparisonSummary, styles: Mapping[str, Style]) -> Drawing:
    """Draw the change of test accuracy of every arm against its time, with 95% intervals."""
    shown = [arm for arm in comparison.arms if trades(arm)]
    figure = Figure(figsize=(WIDTH, PLOT_HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0.0, color=INK, lw=1.0)
    axes.axvline(1.0, color=INK, lw=1.0)
    xs, ys = [1.0], [0.0]
    for arm in shown:
        against, change = arm.one_thread, arm.accuracy_change
        assert isinstance(against, ArmComparison) and isinstance(change, MeanInterval)
        time, look = against.time, styles[arm.name]
        low, high = possible_change(change)
        if time.low is not None and time.high is not None:
            axes.plot([time.low, time.high], [change.mean] * 2, color=look.colour, lw=1.4)
        if low is not None and high is not None:
            axes.plot([time.ratio] * 2, [low, high], color=look.colour, lw=1.4)
        (mark,) = axes.plot([time.ratio], [change.mean], look.marker, color=look.colour, ms=7)
        words = f"{arm.name}: time {time.ratio:.3f} {interval_words(time.low, time.high, '{:.3f}')}"
        points = f"{number_words(change.mean, '{:+.2f}')} points"
        with_tip(mark, f"{words}, {points} {interval_words(low, high, '{:+.2f}')}".strip())
        xs += [end for end in (time.ratio, time.low, time.high) if end is not None]
        ys += [end for end in (change.mean, low, high) if end is not None]
    room = max(max(xs) - min(xs), 0.1)
    axes.set_xlim(min(xs) - 0.06 * room, max(xs) + 0.06 * room)
    axes.set_ylim(_limits(ys, -100.0, 100.0))
    noun = comparison.workers
    axes.set_xlabel(f"step time / step time of sequential training, 1 {noun}")
    axes.set_ylabel("test accuracy gained, points")
    return Drawing(figure, tuple(arm_key(arm.name, styles[arm.name], line=1.4) for arm in shown))


def trades(arm: ArmSummary) -> bool:
    """Return whether both time and accuracy of `arm` are held against sequential training."""
    return isinstance(arm.one_thread, ArmComparison) and isinstance(
        arm.accuracy_change, MeanInterval
    )


def _limits(values: Sequence[float], least: float, most: float) -> tuple[float, float]:
    """Return limits that hold `values`, at least `LEAST_SPAN` apart, little beyond the possible."""
    low, high = min(values), max(values)
    missing = max(0.0, LEAST_SPAN - (high - low)) / 2
    room = 0.06 * max(high - low, LEAST_SPAN)
    return max(least - room, low - missing - room), min(most + room, high + missing + room)


def _curves(
    curves: pd.DataFrame, styles: Mapping[str, Style], x: str, y: str, unit: str
) -> tuple[Drawing, Axes]:
    curves = curves.dropna(subset=[x, y])
    arms = list(dict.fromkeys(curves["arm"]))
    figure = Figure(figsize=(WIDTH, PLOT_HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    colours = {arm: styles[arm].colour for arm in arms}
    dashes = {arm: styles[arm].dash for arm in arms}
    shared = {"x": x, "y": y, "hue": "arm", "style": "arm", "palette": colours, "legend": False}
    if curves["seed"].nunique() > 1 and len(arms) <= MOST_WITH_SEEDS:
        sns.lineplot(
            curves,
            **shared,
            units="seed",
            estimator=None,
            dashes=dashes,
            lw=0.7,
            alpha=0.5,
            ax=axes,
        )
    means = mean_over_seeds(curves)
    sns.lineplot(means, **shared, estimator=None, dashes=dashes, lw=1.8, ax=axes)
    for arm, reached in means.groupby("arm", sort=False):
        look = styles[str(arm)]
        every = reached.iloc[:: -max(1, len(reached) // MARKS)]
        for at, value, epoch in zip(every[x], every[y], every["epoch"], strict=True):
            (mark,) = axes.plot([at], [value], look.marker, color=look.colour, ms=6, mew=0)
            name = f"{arm}: " if epoch == reached["epoch"].max() else ""
            with_tip(mark, f"{name}{value:.2f} {unit} after epoch {epoch}")
    return Drawing(figure, tuple(arm_key(arm, styles[arm]) for arm in arms)), axes
