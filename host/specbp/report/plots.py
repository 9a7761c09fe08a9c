"""Figures over the course of training: accuracy against time, accepted share by epoch.

Call these under `svg.drawing_style`.
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
from specbp.report.palette import PAPER, Style
from specbp.report.rows import ROW, WIDTH

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
