from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.errors import NothingMeasuredError, UsageError
from specbp.frames import Frames
from specbp.report.compare import compare, compare_each, summarise
from specbp.report.summary import (
    IS_BASELINE,
    NOT_IN_TURNS,
    NOT_MEASURED,
    OTHER_RUNTIME,
    OTHER_SEEDS,
    ArmComparison,
)

Make = Callable[..., Any]


def arms(frames: Frames) -> dict[str, Any]:
    return {arm.name: arm for arm in summarise(frames).comparisons[0].arms}


def test_the_ratios_follow_from_the_step_times(plain: Frames) -> None:
    pipelined = arms(plain)["pipelined"]
    assert pipelined.one_thread.time.ratio == pytest.approx(0.7)
    assert pipelined.equal_resources.time.ratio == pytest.approx(0.8)
    assert pipelined.equal_resources.baseline == "sequential, 2 threads"
    assert pipelined.one_thread.time.rounds == 12
    assert (pipelined.step_time.median, pipelined.steps) == (7.0, 60)


def test_quantiles_are_over_all_steps_of_all_seeds(cell: Make, gather: Make) -> None:
    """101 steps of 0, 1, .. 100 ms more than 1: the quantiles can be read off."""
    times = [float(number + 1) for number in range(101)]
    found = arms(gather(cell(times, steps_per_round=1)))["sequential, 1 thread"].step_time
    assert (found.p05, found.median, found.p95) == pytest.approx((6.0, 51.0, 96.0))


def test_the_accuracy_difference_is_paired_by_seed_in_points(plain: Frames) -> None:
    """Differences -1, -2 and -3 points: mean -2, margin 4.3027 / sqrt(3)."""
    found = arms(plain)["pipelined"].accuracy_change
    assert (found.mean, found.low, found.high) == pytest.approx((-2, -4.4841, 0.4841), abs=1e-4)
    assert arms(plain)["pipelined"].accuracy.mean == pytest.approx(88.0)


def test_a_baseline_is_not_held_against_itself(plain: Frames) -> None:
    found = arms(plain)
    assert found["sequential, 1 thread"].one_thread == IS_BASELINE
    assert found["sequential, 2 threads"].equal_resources == IS_BASELINE
    assert isinstance(found["sequential, 2 threads"].one_thread, ArmComparison)


def test_a_missing_baseline_is_said_to_be_missing(cell: Make, gather: Make) -> None:
    found = arms(gather(cell(), cell(schedule="pipelined")))["pipelined"]
    assert isinstance(found.one_thread, ArmComparison)
    assert found.equal_resources == NOT_MEASURED


def test_a_baseline_at_other_seeds_is_not_compared(cell: Make, gather: Make) -> None:
    found = arms(gather(cell(seed=1), cell(seed=0, schedule="pipelined")))["pipelined"]
    assert found.one_thread == OTHER_SEEDS


def test_only_seeds_of_both_enter(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0, seed=0),
        cell(7.0, seed=0, schedule="pipelined"),
        cell(1.0, seed=1, schedule="pipelined"),
    )
    found = arms(frames)["pipelined"].one_thread
    assert found.seeds == (0,)
    assert found.time.ratio == pytest.approx(0.7)


def test_one_seed_gives_a_difference_without_interval(cell: Make, gather: Make) -> None:
    found = arms(gather(cell(accuracy=0.9), cell(accuracy=0.8, schedule="pipelined")))
    difference = found["pipelined"].accuracy_change
    assert difference.mean == pytest.approx(-10.0)
    assert (difference.low, difference.n) == (None, 1)


def test_synthetic_data_gives_times_but_no_accuracy(cell: Make, gather: Make) -> None:
    work = {"dataset": "random:1x8x8/10", "accuracy": 0.1}
    (found,) = summarise(
        gather(cell(10.0, **work), cell(7.0, schedule="pipelined", **work))
    ).comparisons
    assert found.synthetic
    for arm in found.arms:
        assert arm.accuracy is None
    against = found.arms[-1].one_thread
    assert isinstance(against, ArmComparison)
    assert against.time.ratio == pytest.approx(0.7)
    assert against.accuracy is None
    assert found.arms[-1].accuracy_change == NOT_MEASURED
    assert against.synthetic


@pytest.mark.parametrize("session", ["another session", None])
def test_arms_that_took_no_turns_have_a_difference_in_accuracy_but_no_ratio(
    cell: Make, gather: Make, session: str | None
) -> None:
    late = cell(accuracy=0.8, schedule="pipelined", columns={"session": session})
    frames = gather(cell(accuracy=0.9), late)
    found = arms(frames)["pipelined"]
    assert found.one_thread == NOT_IN_TURNS
    assert found.accuracy_change.mean == pytest.approx(-10.0)
    with pytest.raises(UsageError, match="not timed in turns"):
        compare(frames, "pipelined", "sequential, 1 thread")


@pytest.mark.parametrize(
    ("ours", "theirs", "compared"),
    [("native", "native", True), ("native", "threads", False), ("native", None, True)],
)
def test_times_of_different_runtimes_are_not_held_against_each_other(
    cell: Make, gather: Make, ours: str, theirs: str | None, compared: bool
) -> None:
    """Kind: a ratio that shows what Python costs, not what a schedule saves."""
    frames = gather(
        cell(accuracy=0.9, columns={"runtime": theirs}),
        cell(accuracy=0.8, schedule="pipelined", columns={"runtime": ours}),
    )
    found = arms(frames)["pipelined"]
    assert (found.one_thread != OTHER_RUNTIME) == compared
    assert found.accuracy_change.mean == pytest.approx(-10.0)


def test_two_arms_without_a_session_were_not_timed_in_turns(cell: Make, gather: Make) -> None:
    unknown = {"session": None}
    frames = gather(cell(columns=unknown), cell(schedule="pipelined", columns=unknown))
    assert arms(frames)["pipelined"].one_thread == NOT_IN_TURNS


def test_a_seed_repeated_later_leaves_the_ratio_but_stays_in_the_accuracy(
    cell: Make, gather: Make
) -> None:
    frames = gather(
        cell(10.0, 0.9, seed=0),
        cell(10.0, 0.9, seed=1),
        cell(7.0, 0.9, seed=0, schedule="pipelined"),
        cell(1.0, 0.8, seed=1, schedule="pipelined", columns={"session": "later"}),
    )
    found = arms(frames)["pipelined"]
    assert (found.one_thread.seeds, found.one_thread.time.ratio) == ((0,), pytest.approx(0.7))
    assert found.accuracy_change.mean == pytest.approx(-5.0)


def test_rounds_that_do_not_match_are_refused(cell: Make, gather: Make) -> None:
    frames = gather(cell(rounds=4), cell(rounds=3, schedule="pipelined"))
    with pytest.raises(UsageError, match="same rounds"):
        summarise(frames)


def test_a_measured_cell_without_steps_is_refused(cell: Make, gather: Make) -> None:
    frames = gather(cell(rounds=0))
    with pytest.raises(UsageError, match="has no steps"):
        summarise(frames)


@pytest.mark.parametrize("step_ms", [None, 0.0])
def test_a_step_without_a_time_is_refused(cell: Make, gather: Make, step_ms: Any) -> None:
    frames = gather(cell(step_columns={"step_ms": step_ms}))
    with pytest.raises(UsageError, match="without a positive step_ms"):
        summarise(frames)


def test_failed_cells_are_listed_and_enter_no_number(cell: Make, gather: Make) -> None:
    lost = cell(
        seed=1, threads=2, columns={"status": "failed", "reason": "diverged", "test_accuracy": 0.1}
    )
    summary = summarise(gather(cell(seed=0), cell(seed=0, threads=2), lost))
    (item,) = summary.left_out
    assert (item.arm, item.seed, item.status) == ("sequential, 2 threads", 1, "failed")
    assert item.reason == "diverged"
    assert summary.comparisons[0].arms[1].seeds == (0,)


def test_nothing_measured_is_an_error(cell: Make, gather: Make) -> None:
    lost = cell(columns={"status": "skipped", "reason": "no board"})
    for frames in (gather(lost), gather()):
        with pytest.raises(NothingMeasuredError):
            summarise(frames)
        with pytest.raises(NothingMeasuredError):
            compare(frames, "pipelined", "sequential, 1 thread")


def test_compare_gives_what_the_summary_has(plain: Frames) -> None:
    found = compare(plain, "pipelined", "sequential, 1 thread")
    assert found == arms(plain)["pipelined"].one_thread


def test_any_two_arms_can_be_compared(plain: Frames) -> None:
    found = compare(plain, "sequential, 1 thread", "pipelined")
    assert found.time.ratio == pytest.approx(1 / 0.7)
    assert found.accuracy is not None
    assert found.accuracy.mean == pytest.approx(2.0)


def test_an_unknown_arm_is_named_with_the_nearest(plain: Frames) -> None:
    with pytest.raises(UsageError, match=r'"pipelinde".*did you mean "pipelined"'):
        compare(plain, "pipelinde", "sequential, 1 thread")


def test_of_several_comparisons_one_must_be_chosen(cell: Make, gather: Make) -> None:
    frames = gather(
        *(cell(time, batch_size=size) for size, time in ((8, 10.0), (32, 10.0))),
        *(cell(t, batch_size=size, schedule="pipelined") for size, t in ((8, 7.0), (32, 9.0))),
    )
    both = compare_each(frames, "pipelined", "sequential, 1 thread")
    assert [round(found.time.ratio, 3) for found in both] == [0.7, 0.9]
    with pytest.raises(UsageError, match="choose one of Batch 8; Batch 32"):
        compare(frames, "pipelined", "sequential, 1 thread")
    one = compare(frames, "pipelined", "sequential, 1 thread", comparison="Batch 32")
    assert one.time.ratio == pytest.approx(0.9)
    with pytest.raises(UsageError, match="no comparison"):
        compare(frames, "pipelined", "sequential, 1 thread", comparison="Batch 9")


def test_arms_of_different_comparisons_are_refused(cell: Make, gather: Make) -> None:
    frames = gather(cell(batch_size=8), cell(batch_size=32, schedule="pipelined"))
    with pytest.raises(UsageError, match="measured in different comparisons"):
        compare(frames, "pipelined", "sequential, 1 thread")
