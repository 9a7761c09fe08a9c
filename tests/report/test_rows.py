from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.curves import breakdowns
from specbp.report.pairing import comparisons
from specbp.report.palette import styles
from specbp.report.rows import breakdown_figure, ratio_figure
from specbp.report.svg import drawing_style

Make = Callable[..., Any]


def ratios(frames: Frames) -> Figure:
    (comparison,) = summarise(frames).comparisons
    with drawing_style():
        return ratio_figure(
            comparison, styles((arm.name, arm.sequential) for arm in comparison.arms)
        )


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def rows(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def xs(figure: Figure) -> list[list[float]]:
    return [np.round(np.asarray(line.get_xdata()), 4).tolist() for line in figure.axes[0].lines]


def test_ratio_interval_bound_and_seeds_are_drawn_where_they_are(plain: Frames) -> None:
    figure = ratios(plain)
    assert [0.7] in xs(figure)
    assert [0.8] in xs(figure)
    assert [0.7, 0.7, 0.7] in xs(figure)
    assert [0.6, 0.6] in xs(figure)
    assert [1.0, 1.0] in xs(figure)
    assert "step time of sequential" in figure.axes[0].get_xlabel()


def test_a_speculative_arm_has_a_row_for_each_baseline(plain: Frames) -> None:
    figure = ratios(plain)
    assert rows(figure) == ["1 thread", "1 thread", "equal threads"]
    assert "pipelined" in texts(figure)
    assert "sequential, 1 thread" not in texts(figure)


def test_a_missing_baseline_stands_in_its_row(cell: Make, gather: Make) -> None:
    figure = ratios(gather(cell(10.0), cell(7.0, schedule="pipelined")))
    assert rows(figure) == ["1 thread", "equal threads"]
    assert " not measured" in texts(figure)


def test_every_mark_is_inside_the_axes(cell: Make, gather: Make) -> None:
    figure = ratios(gather(cell(10.0), cell(30.0, schedule="pipelined")))
    low, high = figure.axes[0].get_xlim()
    assert all(low < x < high for line in xs(figure) for x in line)


def test_ratios_far_apart_are_drawn_on_a_logarithmic_scale(cell: Make, gather: Make) -> None:
    figure = ratios(gather(cell(10.0), cell(80.0, threads=2), cell(7.0, schedule="pipelined")))
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert "logarithmic" in axes.get_xlabel()
    low, high = axes.get_xlim()
    assert all(low < x < high for line in xs(figure) for x in line)
    assert ratios(gather(cell(10.0), cell(7.0, schedule="pipelined"))).axes[0].get_xscale() == (
        "linear"
    )


def test_a_long_name_is_wrapped(cell: Make, gather: Make) -> None:
    name = "speculative " * 12
    frames = gather(cell(), cell(schedule="pipelined", columns={"arm": name}))
    assert any(text.count("\n") == 2 for text in texts(ratios(frames)))


def test_the_bars_are_as_long_as_their_parts(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0), cell(10.0, schedule="pipelined"))
    (comparison,) = comparisons(frames.runs)
    with drawing_style():
        figure = breakdown_figure(breakdowns(frames, comparison))
    ends: dict[float, float] = {}
    for patch in figure.axes[0].patches:
        assert isinstance(patch, Rectangle)
        ends[patch.get_y()] = max(ends.get(patch.get_y(), 0.0), patch.get_x() + patch.get_width())
    assert [ends[y] for y in sorted(ends)] == pytest.approx([10.0, 10.0, 6.0])
    assert rows(figure) == ["engine 0", "engine 0", "engine 1"]
    assert figure.axes[0].get_xlabel().endswith("ms")
