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
from specbp.report.drawing import drawing_style
from specbp.report.pairing import comparisons
from specbp.report.palette import styles
from specbp.report.rows import breakdown_figure, over_bound_figure, ratio_figure
from specbp.report.tables import over_bound_table
from specbp.report.wording import MINUS

Make = Callable[..., Any]


def ratios(frames: Frames) -> Figure:
    (comparison,) = summarise(frames).comparisons
    with drawing_style():
        return ratio_figure(
            comparison, styles((arm.name, arm.sequential) for arm in comparison.arms)
        ).figure


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
    assert [0.7, 0.7] * 3 in [[x for x in line if x == x] for line in xs(figure)]
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
    assert all(low < x < high for line in xs(figure) for x in line if x == x)


def test_ratios_far_apart_are_drawn_on_a_logarithmic_scale(cell: Make, gather: Make) -> None:
    figure = ratios(gather(cell(10.0), cell(80.0, threads=2), cell(7.0, schedule="pipelined")))
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert "logarithmic" in axes.get_xlabel()
    low, high = axes.get_xlim()
    assert all(low < x < high for line in xs(figure) for x in line if x == x)
    assert ratios(gather(cell(10.0), cell(7.0, schedule="pipelined"))).axes[0].get_xscale() == (
        "linear"
    )


def test_a_long_name_is_wrapped(cell: Make, gather: Make) -> None:
    name = "speculative " * 12
    frames = gather(cell(), cell(schedule="pipelined", columns={"arm": name}))
    assert any(text.count("\n") == 2 for text in texts(ratios(frames)))


def test_the_bars_are_as_long_as_their_parts(cell: Make, gather: Make) -> None:
    parts = {"engine_1_input_gradient_ms": 4.0, "engine_1_weight_gradient_ms": 2.0}
    parts |= {"engine_1_forward_ms": 0.0}
    frames = gather(cell(10.0), cell(10.0, schedule="pipelined", step_columns=parts))
    (comparison,) = comparisons(frames.runs)
    with drawing_style():
        figure = breakdown_figure(breakdowns(frames, comparison)).figure
    ends: dict[float, float] = {}
    for patch in figure.axes[0].patches:
        assert isinstance(patch, Rectangle)
        ends[patch.get_y()] = max(ends.get(patch.get_y(), 0.0), patch.get_x() + patch.get_width())
    assert [ends[y] for y in sorted(ends)] == pytest.approx([10.0, 10.0, 6.0])
    assert rows(figure) == ["engine 0", "engine 0", "engine 1"]
    assert figure.axes[0].get_xlabel().endswith("ms")


OVER = {"bound_ms": 5.0, "over_passes_ms": 1.5, "over_imbalance_ms": -0.5, "over_gate_ms": 0.0}
OVER |= {"over_redo_ms": 0.25, "over_cache_ms": 0.0, "over_synchronisation_ms": 0.5}
OVER |= {"over_update_ms": 0.25}


def test_the_bar_over_the_bound_ends_at_the_mean_step(cell: Make, gather: Make) -> None:
    frames = gather(cell(), cell(7.0, schedule="pipelined", columns=OVER))
    (comparison,) = summarise(frames).comparisons
    (over,) = [arm.over_bound for arm in comparison.arms if arm.over_bound is not None]
    assert over.step_ms == pytest.approx(7.0)
    with drawing_style():
        figure = over_bound_figure(comparison.arms).figure
    patches: Any = figure.axes[0].patches
    assert [patch.get_width() for patch in patches] == pytest.approx([4.5, 1.5, 0.25, 0.5, 0.25])
    assert patches[-1].get_x() + patches[-1].get_width() == pytest.approx(7.0)
    assert rows(figure) == ["1.40"]
    (row,) = over_bound_table(comparison.arms).rows
    assert row[0] == "pipelined"
    assert row[1:4] == ("5.00", "+1.500", f"{MINUS}0.500")
    assert row[-2:] == ("7.00", "+40%")
