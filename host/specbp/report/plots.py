"""Figures over the course of training: accuracy against time, accepted share by epoch.

Call these under `drawing.drawing_style`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from specbp.report.curves import mean_over_seeds
from specbp.report.palette import INK, PAPER, Style
from specbp.report.rows import ROW, WIDTH
from specbp.report.statistics import MeanInterval
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary

PLOT_HEIGHT = 3.1
"""Height of a curve figure without its legend, inch."""

MARKS = 10
"""About how many markers a curve carries."""


def accuracy_figure(curves: pd.DataFrame, styles: Mapping[str, Style]) -> Figure:
    """Draw test accuracy against training time: the mean of the seeds, and each seed thinly."""
    figure, axes = _curves(curves, styles, x="train_s", y="test_percent")
    axes.set_xlabel("training time so far, s")
    axes.set_ylabel("test accuracy, %")
    return figure


def accept_figure(curves: pd.DataFrame, styles: Mapping[str, Style]) -> Figure:
    """Draw the accepted share of the samples in every epoch, likewise."""
    figure, axes = _curves(curves, styles, x="epoch", y="accept_percent")
    axes.set_xlabel("epoch")
    axes.set_ylabel("accepted samples, %")
    axes.set_ylim(-3, 103)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def trade_figure(comparison: ComparisonSummary, styles: Mapping[str, Style]) -> Figure:
    """Draw the change of test accuracy of every arm against its time, with 95% intervals."""
    shown = [arm for arm in comparison.arms if trades(arm)]
    figure = Figure(figsize=(WIDTH, PLOT_HEIGHT + ROW * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0.0, color=INK, lw=1.0)
    axes.axvline(1.0, color=INK, lw=1.0)
    for arm in shown:
        against, change = arm.one_thread, arm.accuracy_change
        assert isinstance(against, ArmComparison) and isinstance(change, MeanInterval)
        time, look = against.time, styles[arm.name]
        if time.low is not None and time.high is not None:
            axes.plot([time.low, time.high], [change.mean] * 2, color=look.colour, lw=1.4)
        if change.low is not None and change.high is not None:
            axes.plot([time.ratio] * 2, [change.low, change.high], color=look.colour, lw=1.4)
        axes.plot([time.ratio], [change.mean], look.marker, color=look.colour, ms=7)
    axes.set_xlabel("step time / step time of sequential training, 1 thread")
    axes.set_ylabel("test accuracy gained, points")
    handles = [_handle(arm.name, styles[arm.name]) for arm in shown]
    figure.legend(handles=handles, loc="outside lower left", ncols=1)
    return figure


def trades(arm: ArmSummary) -> bool:
    """Return whether both time and accuracy of `arm` are held against sequential training."""
    return isinstance(arm.one_thread, ArmComparison) and isinstance(
        arm.accuracy_change, MeanInterval
    )


def _curves(
    curves: pd.DataFrame, styles: Mapping[str, Style], x: str, y: str
) -> tuple[Figure, Axes]:
    curves = curves.dropna(subset=[x, y])
    arms = list(dict.fromkeys(curves["arm"]))
    height = PLOT_HEIGHT + ROW * len(arms)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    colours = {arm: styles[arm].colour for arm in arms}
    dashes = {arm: styles[arm].dash for arm in arms}
    shared = {"x": x, "y": y, "hue": "arm", "style": "arm", "palette": colours, "legend": False}
    sns.lineplot(
        curves, **shared, units="seed", estimator=None, dashes=dashes, lw=0.7, alpha=0.5, ax=axes
    )
    sns.lineplot(
        mean_over_seeds(curves),
        **shared,
        estimator=None,
        dashes=dashes,
        markers={arm: styles[arm].marker for arm in arms},
        markevery=max(1, curves["epoch"].nunique() // MARKS),
        markersize=6,
        lw=1.8,
        ax=axes,
    )
    figure.legend(
        handles=[_handle(arm, styles[arm]) for arm in arms], loc="outside lower left", ncols=1
    )
    return figure, axes


def _handle(arm: str, style: Style) -> Line2D:
    return Line2D(
        [],
        [],
        color=style.colour,
        marker=style.marker,
        markeredgecolor=PAPER,
        markersize=6,
        linestyle=(0, style.dash) if isinstance(style.dash, tuple) else "-",
        lw=1.8,
        label=arm,
    )
