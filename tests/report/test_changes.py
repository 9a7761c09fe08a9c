"""What must repeat and does not is named; what never repeats is not looked at."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from specbp.report.changes import changes

Make = Callable[..., Any]


def test_the_same_again_has_no_change(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0, 0.9), cell(5.0, 0.8, schedule="pipelined"))
    found = changes(frames, frames)
    assert found.changes == ()
    assert found.compared == 2


def test_times_may_differ(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0, 0.9))
    steps = frames.steps.assign(step_ms=frames.steps["step_ms"] * 2)
    runs = frames.runs.assign(train_s=1.0, cores=64)
    assert changes(frames, replace(frames, steps=steps, runs=runs)).changes == ()


@pytest.mark.parametrize("column", ["test_accuracy", "final_weights_sha256", "cycles", "status"])
def test_a_changed_run_is_named_with_both_values(cell: Make, gather: Make, column: str) -> None:
    frames = gather(cell(10.0, 0.9), cell(5.0, 0.8, schedule="pipelined"))
    runs = frames.runs.copy()
    runs[column] = runs[column].astype(object)
    runs.loc[1, column] = "other"
    [one] = changes(frames, replace(frames, runs=runs)).changes
    assert (one.column, one.arm, one.new) == (column, "pipelined", "other")


def test_a_step_that_changed_is_named_with_the_first_place(cell: Make, gather: Make) -> None:
    """Kind: a change that a later step makes up for, so that sums and ends agree."""
    frames = gather(cell(10.0, 0.9))
    frames = replace(frames, steps=frames.steps.assign(loss=1.0))
    steps = frames.steps.copy()
    steps.loc[[3, 5], "loss"] += 0.5
    [one] = changes(frames, replace(frames, steps=steps)).changes
    assert (one.frame, one.column, one.rows) == ("steps", "loss", 2)
    assert one.where == f"step {steps.loc[3, 'step']}"


def test_a_missing_step_is_a_change(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0, 0.9))
    found = changes(frames, replace(frames, steps=frames.steps.drop(index=2))).changes
    assert {one.frame for one in found} == {"steps"}


def test_cells_that_only_one_has_are_counted(cell: Make, gather: Make) -> None:
    one = cell(10.0, 0.9)
    found = changes(gather(one), gather(one, cell(5.0, 0.8, schedule="pipelined")))
    assert (found.compared, found.only_old, len(found.only_new)) == (1, (), 1)
