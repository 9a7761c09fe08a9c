from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.wording import (
    COLUMNS,
    MINUS,
    SummaryEntry,
    full_title,
    interval_words,
    milliseconds,
    number_words,
    summary_rows,
    totals,
    work_words,
)

Make = Callable[..., Any]
CHANGE, LOSES = COLUMNS[-2][0].name, COLUMNS[-1][0].name


def row(frames: Frames, arm: str) -> dict[str, SummaryEntry]:
    (comparison,) = summarise(frames).comparisons
    found = {cells[0].value: cells for cells in summary_rows(comparison)}[arm]
    return {heading.name: cell for (heading, _), cell in zip(COLUMNS, found, strict=True)}


@pytest.mark.parametrize(("margin", "words"), [(0.5, "0.5 not shown"), (4, "within 4")])
def test_a_row_says_whether_the_loss_is_within_the_margin(
    plain: Frames, margin: float, words: str
) -> None:
    """Mean -2 points, s = 1, one-sided t(2) = 2.92: 2 + 1.686."""
    (comparison,) = summarise(plain, margin).comparisons
    cells = {row[0].value: row[-1] for row in summary_rows(comparison)}
    assert cells["pipelined"] == SummaryEntry("3.69", "", words)
    assert cells["sequential, 1 thread"].value == "\N{EN DASH}"


def test_a_row_holds_the_numbers_of_its_arm(plain: Frames) -> None:
    found = row(plain, "pipelined")
    assert found["arm"] == SummaryEntry("pipelined", "", "3 seeds")
    assert found["step time"] == SummaryEntry("7.00", "[7.00, 7.00]")
    assert found["total time / sequential, 1 thread"] == SummaryEntry(
        "0.700", "[0.700, 0.700]", "faster", "step 0.700"
    )
    assert found["total time / sequential, equal threads"].value == "0.800"
    assert found["ideal bound"] == SummaryEntry("0.600")
    assert found["accepted"] == SummaryEntry("75.0")
    assert found[CHANGE] == SummaryEntry(f"{MINUS}2.00", f"[{MINUS}4.48, +0.48]", "not told apart")


def test_the_baseline_is_marked_as_itself(plain: Frames) -> None:
    found = row(plain, "sequential, 1 thread")
    assert found["total time / sequential, 1 thread"] == SummaryEntry("1", "", "this arm")
    assert found[CHANGE] == SummaryEntry("0", "", "this arm")
    assert found["accepted"] == SummaryEntry("\N{EN DASH}")


def test_what_was_not_measured_is_never_an_empty_cell(cell: Make, gather: Make) -> None:
    found = row(gather(cell(schedule="pipelined", accuracy=None)), "pipelined")
    for name in ("total time / sequential, 1 thread", "total time / sequential, equal threads"):
        assert found[name] == SummaryEntry("not measured")
    assert found["test accuracy"] == SummaryEntry("not measured")
    assert found[CHANGE] == SummaryEntry("not measured")


def test_one_seed_is_said_to_have_no_interval(cell: Make, gather: Make) -> None:
    found = row(gather(cell(), cell(schedule="pipelined", accuracy=0.8)), "pipelined")
    assert found[CHANGE] == SummaryEntry(f"{MINUS}10.00", "no interval: one seed")
    assert found["test accuracy"].interval == "no interval: one seed"


def test_one_round_is_said_to_have_no_interval(cell: Make, gather: Make) -> None:
    found = row(gather(cell(rounds=1), cell(rounds=1, schedule="pipelined")), "pipelined")
    assert found["total time / sequential, 1 thread"] == SummaryEntry(
        "1.000", "no interval: one round", "", "step 1.000"
    )


def test_fewer_common_seeds_are_said(cell: Make, gather: Make) -> None:
    frames = gather(
        cell(10.0, seed=0), *(cell(7.0, seed=seed, schedule="pipelined") for seed in (0, 1))
    )
    assert row(frames, "pipelined")["total time / sequential, 1 thread"].remark == (
        "faster, from 1 seed"
    )


def test_accuracies_of_synthetic_data_are_never_shown(cell: Make, gather: Make) -> None:
    work = {"dataset": "random:1x8x8/10", "accuracy": 0.123}
    frames = gather(cell(**work), cell(schedule="pipelined", **work))
    found = row(frames, "pipelined")
    assert found["test accuracy"] == found[CHANGE] == SummaryEntry("synthetic data")
    assert full_title(summarise(frames).comparisons[0]).endswith("(synthetic data)")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.01234, "0.0123"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1234"), (0.0, "0")],
)
def test_milliseconds_have_three_digits_and_no_exponent(value: float, words: str) -> None:
    assert milliseconds(value) == words


def test_zero_has_no_sign() -> None:
    assert number_words(-0.001, "{:+.2f}") == "0.00"
    assert interval_words(-1.0, 0.001, "{:+.2f}") == f"[{MINUS}1.00, 0.00]"
    assert interval_words(None, None, "{:.2f}") == ""


def test_work_and_totals_are_counted(plain: Frames) -> None:
    summary = summarise(plain)
    assert totals(summary) == "1 comparison, 3 arms, 9 training runs"
    assert work_words(summary.comparisons[0].work).startswith("digits-cnn on digits, float32")
