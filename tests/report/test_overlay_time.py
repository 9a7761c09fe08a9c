"""Arms on a simulated overlay: what counts is the overlay's time, not the simulator's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.report.compare import compare_each
from specbp.report.overlay_time import with_overlay_time

Make = Callable[..., Any]
ON_OVERLAY = {"dataset": "digits", "model": "digits-cnn", "arithmetic": "int16", "lanes": 16}


@pytest.fixture
def simulated(cell: Make, gather: Make) -> Any:
    """A step of 2,000,000 cycles at 100 MHz, 20 ms, that the simulator took 700 ms for."""
    clocked = {"cycles": 2_000_000, "clock_mhz": 100.0, "forward_ms": 500.0}
    return gather(
        cell(step_ms=700.0, backend="sim:rtl", step_columns=clocked, **ON_OVERLAY),
        cell(step_ms=10.0, dataset="digits", model="digits-cnn"),
    )


def test_a_step_takes_its_cycles_and_its_parts_are_unknown(simulated: Any) -> None:
    timed = with_overlay_time(simulated)
    chosen = timed.steps["cycles"].notna()
    assert timed.steps[chosen]["step_ms"].unique() == pytest.approx([20.0])
    assert timed.steps[chosen]["forward_ms"].isna().all()
    assert timed.steps[~chosen]["step_ms"].unique() == pytest.approx([10.0])


def test_epochs_end_when_their_steps_have_ended(simulated: Any) -> None:
    timed = with_overlay_time(simulated)
    clocked = timed.steps[timed.steps["cycles"].notna()]
    ends = timed.epochs[timed.epochs["cell"].isin(clocked["cell"])]["train_s"]
    assert ends.max() == pytest.approx(0.02 * len(clocked))


def test_what_runs_on_no_overlay_stays_as_it_is(plain: Any) -> None:
    assert with_overlay_time(plain) is plain


def test_arms_are_compared_by_it(cell: Make, gather: Make) -> None:
    def arm(cycles: int, **experiment: Any) -> Any:
        clocked = {"cycles": cycles, "clock_mhz": 100.0}
        return cell(step_ms=700.0, step_columns=clocked, **{**ON_OVERLAY, **experiment})

    frames = gather(arm(1_000_000, backend="sim:model"), arm(500_000, backend="sim:rtl"))
    (found,) = compare_each(
        frames, "sequential, sim:rtl, 16 lanes", "sequential, sim:model, 16 lanes"
    )
    assert found.time.ratio == pytest.approx(0.5)
