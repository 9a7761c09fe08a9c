from __future__ import annotations

from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.curves import epoch_curves
from specbp.report.drawing import drawing_style
from specbp.report.pairing import comparisons
from specbp.report.palette import styles
from specbp.report.plots import accept_figure, accuracy_figure, trade_figure


def test_accuracy_is_drawn_for_every_seed_and_for_their_mean(plain: Frames) -> None:
    (comparison,) = comparisons(plain.runs)
    curves = epoch_curves(plain, comparison)
    looks = styles((arm.name, arm.sequential) for arm in comparison.arms)
    with drawing_style():
        figure = accuracy_figure(curves, looks).figure
    axes = figure.axes[0]
    marked: Any = [line for line in axes.lines if line.get_marker() != "None"]
    assert len(marked) == 3, "a mark for every arm"
    assert len(axes.lines) == 3 * 3 + 3 + 3, "seeds, means and marks"
    assert axes.get_xlim()[0] == 0
    low, high = axes.get_ylim()
    assert low < 88 < 90 < high and high - low < 10
    assert axes.get_xlabel() == "training time so far, s"
    assert axes.get_ylabel() == "test accuracy, %"
    marked: Any = [line for line in axes.lines if line.get_marker() != "None"]
    assert sorted(float(line.get_ydata()[0]) for line in marked) == pytest.approx([88, 90, 90])


def test_every_arm_has_its_point_of_time_saved_and_accuracy_lost(plain: Frames) -> None:
    """Pipelined: 0.7 of the time, 2 points lower; two threads 0.875 of it, equal."""
    (comparison,) = summarise(plain).comparisons
    looks = styles((arm.name, arm.sequential) for arm in comparison.arms)
    with drawing_style():
        figure = trade_figure(comparison, looks).figure
    points: Any = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    found = [(line.get_xdata()[0], line.get_ydata()[0]) for line in points]
    assert found == [pytest.approx((0.875, 0.0)), pytest.approx((0.7, -2.0))]


def test_accept_rate_is_drawn_for_arms_that_have_one(plain: Frames) -> None:
    (comparison,) = comparisons(plain.runs)
    looks = styles((arm.name, arm.sequential) for arm in comparison.arms)
    with drawing_style():
        drawing = accept_figure(epoch_curves(plain, comparison), looks)
    assert [key.label for key in drawing.keys] == ["pipelined"]
    low, high = drawing.figure.axes[0].get_ylim()
    assert low < 0 < 100 < high
