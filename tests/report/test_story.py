"""The first paragraph: what was found, over all comparisons, whoever lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.story import story
from specbp.report.wording import MINUS

Make = Callable[..., Any]
PAPER = {"schedule": "speculative"}


def told(frames: Frames) -> str:
    return story(summarise(frames))


@pytest.fixture
def three_sizes(cell: Make, gather: Make) -> Frames:
    """Pipelined: 0.7, 0.8, 0.9 of one thread and 0.875, 1, 1.125 of two; the gate loses."""
    cells = []
    for size, ratio in ((8, 0.7), (16, 0.8), (32, 0.9)):
        for seed in range(2):
            work = {"batch_size": size, "seed": seed, "epochs": 2}
            cells += [
                cell(10.0, 0.9, **work),
                cell(8.0, 0.9, threads=2, **work),
                cell(10.0 * ratio, 0.9, schedule="pipelined", **work),
                cell(20.0, 0.8, **PAPER, **work),
            ]
    frames: Frames = gather(*cells)
    return frames


def test_the_whole_range_is_told_and_wins_are_counted(three_sizes: Frames) -> None:
    words = told(three_sizes)
    assert words.startswith(
        "digits-cnn on digits, batch sizes 8 to 32: 24 trainings in 3 comparisons. "
        "Pipelined training did best: it took 0.70 to 0.90 of the time of sequential training "
        "on one thread and 0.88 to 1.12 of that on as many threads as it used itself, "
        "faster than both in 1 of 3 cases and slower than one of them in 1."
    )


def test_the_papers_scheme_is_told_although_it_lost(three_sizes: Frames) -> None:
    """Kind: a paragraph that leaves out what the reader came for."""
    assert (
        "The paper's scheme (label key behind a gate) took 2.00 and 2.50 of these times, faster "
        "than both in none of 3 cases and slower than one of them in 3. It changed test accuracy "
        f"by {MINUS}10.00 points (lower in 3 of 3)."
    ) in told(three_sizes)


def test_nothing_faster_is_said_so(cell: Make, gather: Make) -> None:
    words = told(
        gather(
            cell(10.0),
            cell(8.0, threads=2),
            cell(9.0, **PAPER),
            cell(9.5, schedule="pipelined"),
        )
    )
    assert "came closest, and was nowhere shown to be faster" in words
    assert "fastest" not in words


def test_a_verdict_that_is_withheld_says_why(cell: Make, gather: Make) -> None:
    """Kind: "nowhere shown to be faster" of an arm whose baseline was ill."""
    cells = [
        made
        for seed in range(2)
        for made in (
            cell(10.0, seed=seed),
            cell(11.0, threads=2, seed=seed),
            cell(7.0, seed=seed, schedule="pipelined"),
            cell(12.0, seed=seed, **PAPER),
        )
    ]
    words = told(gather(*cells))
    hindered = "because sequential training was slower on several threads than on one"
    assert (
        f"Pipelined training came closest: it took 0.70 of the time of sequential training on one "
        f"thread and 0.64 of that on as many threads as it used itself, faster than one thread "
        f"and without a verdict against more, {hindered}."
    ) in words
    assert f"took 1.20 and 1.09 of these times, without a verdict, {hindered}." in words
    assert "nowhere" not in words


def test_of_cases_without_a_verdict_those_faster_than_one_thread_are_counted(
    cell: Make, gather: Make
) -> None:
    cells = [
        made
        for size, ratio in ((8, 0.7), (16, 1.2))
        for seed in range(2)
        for made in (
            cell(10.0, batch_size=size, seed=seed),
            cell(11.0, threads=2, batch_size=size, seed=seed),
            cell(10.0 * ratio, batch_size=size, seed=seed, schedule="pipelined"),
        )
    ]
    hindered = "because sequential training was slower on several threads than on one"
    assert f"without a verdict, {hindered} (1 of them faster than one thread)." in told(
        gather(*cells)
    )


def test_a_gpu_has_streams(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0, backend="cuda"),
        cell(9.0, backend="cuda", engines=2),
        cell(7.0, backend="cuda", schedule="pipelined"),
    )
    words = told(frames)
    assert "sequential training on one stream" in words
    assert "as many streams as it used itself" in words
    assert "thread" not in words


def test_arms_on_one_engine_claim_no_time(cell: Make, gather: Make) -> None:
    frames = gather(
        *(cell(10.0, 0.9, seed=seed, epochs=2) for seed in (0, 1)),
        *(cell(7.0, 0.88, seed=seed, epochs=2, schedule="pipelined", engines=1) for seed in (0, 1)),
    )
    words = told(frames)
    assert "so its time says nothing" in words
    assert "0.70" not in words
    assert f"Pipelined training changed test accuracy by {MINUS}2.00 points (lower)." in words


def test_accuracy_after_one_epoch_or_on_random_images_is_not_told(cell: Make, gather: Make) -> None:
    short = gather(cell(10.0, 0.9, epochs=1), cell(7.0, 0.8, epochs=1, schedule="pipelined"))
    assert "accuracy" not in told(short)
    work = {"dataset": "random:1x8x8/10", "epochs": 2}
    random = told(gather(cell(10.0, **work), cell(7.0, schedule="pipelined", **work)))
    assert "points" not in random
    assert "The images are random, so nothing is said about accuracy." in random


def test_what_failed_is_told(demo: Frames) -> None:
    assert "1 training failed or was skipped" in told(demo)


def test_without_a_baseline_nothing_is_claimed(cell: Make, gather: Make) -> None:
    assert "no speed-up is claimed" in told(gather(cell(schedule="pipelined")))
