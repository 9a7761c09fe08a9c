from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.headline import cautions, headline
from specbp.report.wording import MINUS

Make = Callable[..., Any]


def said(frames: Frames) -> str:
    return headline(summarise(frames).comparisons[0])


def two_arms(cell: Make, gather: Make, replay_ms: float, **columns: Any) -> Frames:
    cells = []
    for seed in range(3):
        cells += [
            cell(10.0, 0.90, seed=seed, **columns),
            cell(8.0, 0.90, seed=seed, threads=2, **columns),
            cell(7.0, 0.90, seed=seed, schedule="pipelined", **columns),
            cell(replay_ms, 0.80, seed=seed, schedule="speculative", reuse="replay", **columns),
        ]
    frames: Frames = gather(*cells)
    return frames


def test_a_single_arm_is_given_in_numbers(plain: Frames) -> None:
    assert said(plain) == (
        '"pipelined" took 0.70 [0.70, 0.70] of the time of sequential training on one thread '
        "(faster; a typical step 0.70) and 0.80 [0.80, 0.80] of its time on equal threads "
        "(faster; a typical step 0.80); its test accuracy changed by "
        f"{MINUS}2.00 points [{MINUS}4.48, +0.48] (not told apart)."
    )


def test_losses_are_counted_beside_wins(cell: Make, gather: Make) -> None:
    words = said(two_arms(cell, gather, replay_ms=9.0))
    assert words.startswith(
        "Held against sequential training on one thread and on equal threads, "
        "1 arm is faster than both baselines and 1 is slower than at least one; "
        "in test accuracy 1 arm is lower and 1 is not told apart; "
        'the fastest, "pipelined", took 0.70'
    )


def test_all_slower_is_said_as_plainly(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0),
        cell(5.0, threads=2),
        cell(9.0, schedule="pipelined"),
        cell(8.0, schedule="speculative"),
    )
    words = said(frames)
    assert "2 arms are slower than at least one;" in words
    assert "arm is faster" not in words
    assert "arms are faster" not in words
    assert "no interval from one seed" in words


def test_a_baseline_hindered_by_its_threads_makes_no_winner(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0),
        cell(50.0, threads=2),
        cell(11.0, schedule="pipelined"),
        cell(12.0, schedule="speculative"),
    )
    words = said(frames)
    assert "2 arms are without a verdict (the timing does not allow one);" in words
    assert "slower; a typical step 1.10" in words
    caution, withheld = cautions(summarise(frames).comparisons[0])
    assert '"sequential, 2 threads" took 5.00 times as long' in caution
    assert '"sequential, 2 threads" is slower than "sequential, 1 thread"' in withheld


def test_a_busy_machine_is_cautioned_against(cell: Make, gather: Make) -> None:
    """Of 100 steps of 1 ms ten took 4 ms: the 95th percentile is 4 medians."""
    times = [1.0] * 90 + [4.0] * 10
    (caution,) = cautions(summarise(gather(cell(times))).comparisons[0])
    assert "more than 4.0 times the median" in caution


def test_steady_times_need_no_caution(plain: Frames) -> None:
    assert cautions(summarise(plain).comparisons[0]) == []


def test_a_missing_baseline_at_equal_resources_is_said(cell: Make, gather: Make) -> None:
    words = said(gather(cell(10.0), cell(7.0, schedule="pipelined")))
    assert "(against its time on equal threads: not measured)" in words


def test_an_arm_without_one_of_the_baselines_is_no_winner_over_both(
    cell: Make, gather: Make
) -> None:
    wide = cell(6.0, schedule="speculative", threads=2)
    words = said(gather(cell(10.0), cell(8.0, threads=2), cell(7.0, schedule="pipelined"), wide))
    assert "2 arms are faster than the baselines measured" in words


def test_arms_without_any_baseline_are_counted_apart(cell: Make, gather: Make) -> None:
    late = cell(6.0, schedule="speculative", columns={"session": "later"})
    words = said(gather(cell(10.0), cell(7.0, schedule="pipelined"), late))
    assert "1 arm is faster than the baselines measured (1 more arm without a baseline);" in words


def test_without_any_baseline_nothing_is_claimed(cell: Make, gather: Make) -> None:
    assert "no speed-up is claimed" in said(gather(cell(schedule="pipelined")))
    assert "nothing to hold against them" in said(gather(cell()))


def test_synthetic_data_claims_no_accuracy(cell: Make, gather: Make) -> None:
    words = said(two_arms(cell, gather, replay_ms=9.0, dataset="random:1x8x8/10"))
    assert "no accuracy is claimed" in words
    assert "points" not in words
    assert "in test accuracy" not in words


def test_faster_than_one_and_not_told_apart_from_the_other_is_no_win(
    cell: Make, gather: Make
) -> None:
    """Rounds of 7 and 9 ms by turns say nothing about an arm that always takes 8 ms."""
    frames = gather(
        cell([20.0] * 8),
        cell([7.0, 9.0] * 4, threads=2),
        cell([8.0] * 8, schedule="pipelined"),
        cell([8.0] * 8, schedule="speculative"),
    )
    assert "2 arms are not told apart from at least one;" in said(frames)


def test_the_fastest_is_the_one_that_does_best_against_its_harder_baseline(
    cell: Make, gather: Make
) -> None:
    """Pipelined: 0.7 and 0.9. With four threads: 0.6 of one thread, but 1.2 of four."""
    frames = gather(
        cell(10.0),
        cell(7.0 / 0.9, threads=2),
        cell(5.0, threads=4),
        cell(7.0, schedule="pipelined"),
        cell(6.0, schedule="speculative", threads=2),
    )
    assert 'the fastest, "pipelined"' in said(frames)
