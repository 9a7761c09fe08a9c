"""The figure over all comparisons runs along whatever the matrix varies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.drawing import drawing_style
from specbp.report.overview import Panel, overview
from specbp.report.palette import styles

Make = Callable[..., Any]


def drawn(frames: Frames) -> tuple[str, list[Panel]]:
    found = summarise(frames).comparisons
    looks = styles((arm.name, arm.sequential) for one in found for arm in one.arms)
    with drawing_style():
        return overview(found, looks)


def arms(cell: Make, **work: Any) -> list[Any]:
    return [cell(10.0, **work), cell(7.0, schedule="pipelined", **work)]


def marks(panel: Panel) -> list[tuple[float, float]]:
    lines: Any = panel.drawing.figure.axes[0].lines
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in lines
        if line.get_marker() not in ("None", None, "") and len(line.get_xdata()) == 1
    ]


def test_ratios_run_over_the_batch_size(cell: Make, gather: Make) -> None:
    field, (panel,) = drawn(
        gather(
            *(one for size in (64, 1, 8) for one in arms(cell, batch_size=size, train=10 * size))
        )
    )
    assert field == "batch_size"
    assert marks(panel) == [pytest.approx((size, 0.7)) for size in (1, 8, 64)]
    axes = panel.drawing.figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "8", "64"]
    assert [key.label for key in panel.drawing.keys] == ["pipelined"]


def test_each_network_has_its_own_panel(cell: Make, gather: Make) -> None:
    work = [{"model": name, "batch_size": size, "dataset": "random:3x32x32/10"}
            for name in ("cifar-cnn", "cifar-cnn-s") for size in (1, 2, 4)]  # fmt: skip
    field, panels = drawn(gather(*(one for some in work for one in arms(cell, **some))))
    assert field == "batch_size"
    assert [panel.title for panel in panels] == ["cifar-cnn", "cifar-cnn-s"]


def test_any_other_number_that_varies_is_the_axis(cell: Make, gather: Make) -> None:
    field, (panel,) = drawn(
        gather(*(one for rate in (0.1, 0.2, 0.3) for one in arms(cell, learning_rate=rate)))
    )
    assert field == "learning_rate"
    assert panel.drawing.figure.axes[0].get_xlabel() == "learning rate"


def test_words_are_rows_with_a_mark_for_each_comparison(cell: Make, gather: Make) -> None:
    field, (panel,) = drawn(
        gather(*(one for name in ("digits", "random:1x8x8/10") for one in arms(cell, dataset=name)))
    )
    assert field == ""
    assert [x for x, _ in marks(panel)] == [pytest.approx(0.7)] * 2
    labels = [key.label for key in panel.drawing.keys]
    assert labels == ["digits", "random 1x8x8 images"]


def test_one_comparison_and_untimed_ones_need_none(plain: Frames, cell: Make, gather: Make) -> None:
    assert drawn(plain) == ("", [])
    alone = gather(*(cell(schedule="pipelined", batch_size=size) for size in (1, 2, 4)))
    assert drawn(alone) == ("", [])
