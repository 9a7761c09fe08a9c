"""What is outside the clock of a step is measured and shown; much of it is cautioned against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.headline import cautions
from specbp.report.markdown import render
from specbp.report.tables import costs_table

Make = Callable[..., Any]


def measured(cell: Make, gather: Make, between: float | None, arms_between: float | None) -> Frames:
    one = cell(10.0, step_columns={"between_ms": between}, columns={"peak_memory_mib": 20.0})
    two = cell(
        5.0, schedule="pipelined", step_columns={"between_ms": arms_between},
        columns={"peak_memory_mib": 31.25},
    )  # fmt: skip
    frames: Frames = gather(one, two)
    return frames


def test_the_ratio_of_the_whole_loop_has_the_work_between_steps(cell: Make, gather: Make) -> None:
    """5 + 0.5 of 10 + 0.2: 0.539 where the steps alone take 0.5."""
    summary = summarise(measured(cell, gather, 0.2, 0.5))
    against: Any = summary.comparisons[0].arms[1].one_thread
    assert against.time.ratio == pytest.approx(0.5)
    assert against.whole_loop.ratio == pytest.approx(5.5 / 10.2)
    row = costs_table(summary.comparisons[0]).rows[1]
    assert row == ("pipelined", "31.2", "5.00", "0.500", "9.1%", "0.539")
    assert "31.2 | 5.00 | 0.500 | 9.1% | 0.539" in render(summary, "A report")


def test_much_work_outside_the_clock_is_cautioned_against(cell: Make, gather: Make) -> None:
    (comparison,) = summarise(measured(cell, gather, 0.2, 0.5)).comparisons
    (caution,) = cautions(comparison)
    assert caution.startswith('"pipelined" spends 9% of its loop outside the clock')
    (comparison,) = summarise(measured(cell, gather, 0.2, 0.2)).comparisons
    assert cautions(comparison) == []


def test_many_arms_are_cautioned_against_in_one_line(cell: Make, gather: Make) -> None:
    (comparison,) = summarise(measured(cell, gather, 1.0, 1.0)).comparisons
    (caution,) = cautions(comparison)
    assert caution.startswith(
        "All arms spend 9% to 17% of their loop outside the clock of their steps, "
        '"pipelined" the most: '
    )


def test_what_was_not_recorded_is_not_claimed(cell: Make, gather: Make) -> None:
    summary = summarise(measured(cell, gather, 0.2, None))
    against: Any = summary.comparisons[0].arms[1].one_thread
    assert against.whole_loop is None
    assert costs_table(summary.comparisons[0]).rows[1][3:] == ("\N{EN DASH}",) * 3
