from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.errors import UsageError
from specbp.report.pairing import (
    common_seeds,
    comparisons,
    equal_resources_baseline,
    one_thread_baseline,
    plain_rows,
    timed_in_turns,
)

Make = Callable[..., Any]


def test_arms_with_equal_work_form_one_comparison_over_all_seeds(plain: Any) -> None:
    (comparison,) = comparisons(plain.runs)
    assert comparison.title == "digits-cnn on digits"
    names = [arm.name for arm in comparison.arms]
    assert names == ["sequential, 1 thread", "sequential, 2 threads", "pipelined"]
    assert all(arm.seeds == (0, 1, 2) for arm in comparison.arms)


def test_comparisons_are_named_by_what_differs_and_sorted_by_size(cell: Make, gather: Make) -> None:
    frames = gather(*(cell(batch_size=size) for size in (32, 8, 128)))
    titles = [comparison.title for comparison in comparisons(frames.runs)]
    assert titles == ["Batch 8", "Batch 32", "Batch 128"]


def test_the_order_of_the_rows_does_not_matter(plain: Any) -> None:
    backwards = plain.runs.iloc[::-1]
    assert comparisons(backwards) == comparisons(plain.runs)


def test_both_baselines_are_found_by_threads(cell: Make, gather: Make) -> None:
    frames = gather(cell(), cell(threads=2), cell(threads=4), cell(schedule="pipelined", threads=2))
    (comparison,) = comparisons(frames.runs)
    arm = comparison.arms[-1]
    one, equal = one_thread_baseline(comparison, arm), equal_resources_baseline(comparison, arm)
    assert one is not None
    assert equal is not None
    assert (one.name, equal.name) == ("sequential, 1 thread", "sequential, 4 threads")


def test_a_baseline_of_another_backend_is_none(cell: Make, gather: Make) -> None:
    other = cell(schedule="pipelined", columns={"backend": "cuda:0", "arm": "pipelined, cuda:0"})
    (comparison,) = comparisons(gather(cell(), cell(threads=2), other).runs)
    arm = comparison.arms[-1]
    assert arm.backend == "cuda:0"
    assert one_thread_baseline(comparison, arm) is None
    assert equal_resources_baseline(comparison, arm) is None


def test_baselines_have_the_same_lanes(cell: Make, gather: Make) -> None:
    def on_overlay(lanes: int, **fields: Any) -> Any:
        name = f"{fields.get('schedule', 'sequential')}, {lanes} lanes"
        columns = {"backend": "sim:rtl", "lanes": lanes, "arm": name}
        return cell(**fields, columns=columns)

    frames = gather(on_overlay(16), on_overlay(32), on_overlay(32, schedule="pipelined"))
    (comparison,) = comparisons(frames.runs)
    baseline = one_thread_baseline(comparison, comparison.arms[-1])
    assert baseline is not None and baseline.name == "sequential, 32 lanes"


@pytest.mark.parametrize(("cycles", "together"), [(1000, 1), (None, 0)])
def test_cycles_of_simulated_overlays_need_no_turns(
    cell: Make, gather: Make, cycles: int | None, together: int
) -> None:
    columns = {"backend": "sim:model", "lanes": 16, "cycles": cycles}
    one = cell(columns={**columns, "session": "a", "arm": "one"})
    other = cell(schedule="pipelined", columns={**columns, "session": "b", "arm": "other"})
    (comparison,) = comparisons(gather(one, other).runs)
    assert len(timed_in_turns(common_seeds(*comparison.arms))) == together


@pytest.mark.parametrize(
    "name", ["initial_weights_sha256", "sample_order_sha256", "dataset_sha256"]
)
def test_unequal_work_is_refused_and_both_cells_are_named(
    cell: Make, gather: Make, name: str
) -> None:
    one, other = cell(), cell(schedule="pipelined", columns={name: "f" * 64})
    with pytest.raises(UsageError) as caught:
        comparisons(gather(one, other).runs)
    message = str(caught.value)
    assert name in message
    assert one.run["cell"] in message
    assert other.run["cell"] in message
    assert "\n" not in message


def test_work_that_cannot_be_checked_is_refused(cell: Make, gather: Make) -> None:
    frames = gather(cell(columns={"sample_order_sha256": None}))
    with pytest.raises(UsageError, match="has no sample_order_sha256"):
        comparisons(frames.runs)


def test_hashes_may_differ_between_seeds_and_in_cells_that_failed(cell: Make, gather: Make) -> None:
    lost = cell(schedule="pipelined", columns={"status": "failed", "dataset_sha256": None})
    (comparison,) = comparisons(gather(cell(seed=0), cell(seed=1), lost).runs)
    assert [arm.name for arm in comparison.arms] == ["sequential, 1 thread"]
    assert [row["arm"] for row in comparison.left_out] == ["pipelined"]


def test_the_same_run_twice_is_refused(cell: Make, gather: Make) -> None:
    with pytest.raises(UsageError, match="are the same run"):
        comparisons(gather(cell(), cell()).runs)


def test_only_common_seeds_are_paired(cell: Make, gather: Make) -> None:
    frames = gather(cell(seed=0), cell(seed=1), cell(seed=1, threads=2), cell(seed=2, threads=2))
    (comparison,) = comparisons(frames.runs)
    (pair,) = common_seeds(*comparison.arms)
    assert [run["seed"] for run in pair] == [1, 1]


def test_only_runs_of_one_session_took_turns(cell: Make, gather: Make) -> None:
    frames = gather(
        *(cell(seed=seed) for seed in (0, 1)),
        cell(seed=0, threads=2),
        cell(seed=1, threads=2, columns={"session": "later"}),
    )
    (comparison,) = comparisons(frames.runs)
    (pair,) = timed_in_turns(common_seeds(*comparison.arms))
    assert [run["seed"] for run in pair] == [0, 0]


def test_nulls_become_none_and_whole_numbers_stay_whole(cell: Make, gather: Make) -> None:
    rows = plain_rows(gather(cell(train=100), cell()).runs)
    assert [row["train"] for row in rows] == [100, None]
    assert isinstance(rows[0]["train"], int)
    assert rows[0]["git_dirty"] is False
