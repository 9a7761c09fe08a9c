from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.curves import REST, breakdowns, epoch_curves, mean_over_seeds
from specbp.report.pairing import Comparison, comparisons

Make = Callable[..., Any]


def only(frames: Frames) -> Comparison:
    (comparison,) = comparisons(frames.runs)
    return comparison


def test_curves_are_in_percent_and_averaged_over_seeds(plain: Frames) -> None:
    curves = epoch_curves(plain, only(plain))
    assert len(curves) == 9
    means = mean_over_seeds(curves).set_index("arm")
    assert means.loc["pipelined", "test_percent"] == pytest.approx(88.0)
    assert means.loc["pipelined", "accept_percent"] == pytest.approx(75.0)
    assert means.loc["pipelined", "train_s"] == pytest.approx(20 * 0.007)


def test_synthetic_accuracies_never_reach_a_curve(cell: Make, gather: Make) -> None:
    frames = gather(cell(dataset="random:1x8x8/10"))
    curves = epoch_curves(frames, only(frames))
    assert curves[["loss", "train_percent", "test_percent"]].isna().all(axis=None)
    assert curves["train_s"].notna().all()


def test_failed_cells_reach_no_curve(cell: Make, gather: Make) -> None:
    lost = cell(schedule="pipelined")
    lost.run["status"] = "failed"
    frames = gather(cell(), lost)
    comparison = only(frames)
    assert set(epoch_curves(frames, comparison)["arm"]) == {"sequential, 1 thread"}
    assert [item.arm for item in breakdowns(frames, comparison)] == ["sequential, 1 thread"]


def test_one_engine_has_one_bar_that_adds_up_to_the_step(cell: Make, gather: Make) -> None:
    """Of 10 ms: forward 3, backward 6, update 0.5, the rest 0.5."""
    frames = gather(cell(10.0))
    (item,) = breakdowns(frames, only(frames))
    (bar,) = item.bars
    assert dict(bar.parts) == pytest.approx(
        {"forward": 3.0, "backward": 6.0, "update": 0.5, REST: 0.5}
    )
    assert sum(ms for _, ms in bar.parts) == pytest.approx(item.step_ms)


def test_two_engines_have_two_bars_and_each_shows_its_part_of_backward(
    cell: Make, gather: Make
) -> None:
    parts = {"backward_ms": 6.0, "wait_ms": 2.0, "gate_ms": 0.0, "recall_ms": 1.5, "store_ms": 0.5}
    parts |= {"engine_1_forward_ms": 0.0, "engine_1_input_gradient_ms": 3.0}
    parts |= {"engine_1_weight_gradient_ms": 2.0}
    frames = gather(cell(10.0, schedule="pipelined", step_columns=parts))
    (item,) = breakdowns(frames, only(frames))
    first, second = item.bars
    assert [name for name, _ in first.parts] == ["forward", "backward", "update", "wait", REST]
    assert dict(first.parts)["backward"] == pytest.approx(1.0)
    assert second.parts == (("recall", 1.5), ("backward", 5.0), ("store", 0.5))
    assert item.part("gate") is None
    assert item.part("backward") == pytest.approx(6.0)


def test_both_engines_of_a_data_parallel_arm_do_both_passes(cell: Make, gather: Make) -> None:
    parts = {"engine_1_forward_ms": 1.0, "engine_1_input_gradient_ms": 2.0}
    parts |= {"engine_1_weight_gradient_ms": 1.5}
    frames = gather(cell(10.0, schedule="data-parallel", step_columns=parts))
    (item,) = breakdowns(frames, only(frames))
    assert item.bars[1].parts == (("forward", 1.0), ("backward", 3.5))
    assert dict(item.bars[0].parts)["forward"] == pytest.approx(2.0)


def test_frames_that_do_not_say_which_engine_did_what_have_no_bars(
    cell: Make, gather: Make
) -> None:
    frames = gather(cell(10.0, schedule="pipelined"))
    assert breakdowns(frames, only(frames)) == ()


def test_speculation_on_one_engine_is_one_bar(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0, schedule="pipelined", engines=1))
    (item,) = breakdowns(frames, only(frames))
    assert len(item.bars) == 1
    assert item.part("backward") == pytest.approx(6.0)


def test_parts_beyond_the_step_leave_no_rest(cell: Make, gather: Make) -> None:
    frames = gather(cell(10.0, step_columns={"forward_ms": 9.0}))
    (item,) = breakdowns(frames, only(frames))
    assert item.part(REST) is None


def test_steps_timed_as_a_whole_have_no_breakdown(cell: Make, gather: Make) -> None:
    frames = gather(cell(step_columns={"forward_ms": None}))
    assert breakdowns(frames, only(frames)) == ()
