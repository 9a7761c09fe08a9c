"""Several starts of the same cell: units of a ratio, but one seed of an accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specbp.errors import UsageError
from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.curves import epoch_curves
from specbp.report.headline import cautions
from specbp.report.markdown import render
from specbp.report.pairing import comparisons
from specbp.report.tables import repeats_table

Make = Callable[..., Any]


def started(cell: Make, gather: Make, weights: str = "w", starts: int = 3) -> Frames:
    """Two seeds, each started so often; in start k the pipelined arm takes 7 + k/10 of 10 ms."""
    cells = []
    for seed in range(2):
        for start in range(starts):
            about = {
                "start": start,
                "session": f"{seed} {start}",
                "process": f"{seed} {start}",
                "final_weights_sha256": "w" if start else weights,
            }
            for ms, method in ((10.0, "sequential"), (7.0 + 0.1 * start, "pipelined")):
                made = cell(ms, 0.9 - 0.01 * seed, seed=seed, schedule=method, columns=about)
                made.run["cell"] += str(start)
                for row in (*made.epochs, *made.steps):
                    row["cell"] += str(start)
                cells.append(made)
    frames: Frames = gather(*cells)
    return frames


def test_every_start_is_a_unit_of_the_ratio(cell: Make, gather: Make) -> None:
    (comparison,) = summarise(started(cell, gather)).comparisons
    against: Any = comparison.arms[1].one_thread
    assert against.time.by_repeat == pytest.approx((0.7, 0.71, 0.72) * 2)
    assert (against.seeds, against.processes) == ((0, 1), 6)


def test_further_starts_are_no_further_seeds_of_an_accuracy(cell: Make, gather: Make) -> None:
    """Kind: the same training counted twice, which makes an interval look surer than it is."""
    frames = started(cell, gather)
    (comparison,) = summarise(frames).comparisons
    arm: Any = comparison.arms[1]
    assert arm.seeds == (0, 1)
    assert arm.accuracy.n == arm.accuracy_change.n == 2
    (paired,) = comparisons(frames.runs)
    assert len(epoch_curves(frames, paired)) == 2 * 2, "an arm's curve is there once per seed"


def test_every_start_is_in_the_report(cell: Make, gather: Make) -> None:
    summary = summarise(started(cell, gather))
    (row,) = repeats_table(summary.comparisons[0]).rows
    assert row[2:5] == ("6", "6", "0.700, 0.710, 0.720, 0.700, 0.710, 0.720")
    assert "0.700, 0.710, 0.720" in render(summary, "A report")


def test_starts_that_came_to_other_weights_are_cautioned_against(cell: Make, gather: Make) -> None:
    (comparison,) = summarise(started(cell, gather)).comparisons
    assert not any("same weights" in words for words in cautions(comparison))
    (comparison,) = summarise(started(cell, gather, weights="x")).comparisons
    words = [words for words in cautions(comparison) if "the same weights at every start" in words]
    assert len(words) == 2


def test_the_same_start_twice_is_refused(cell: Make, gather: Make) -> None:
    frames = started(cell, gather, starts=1)
    twice = Frames(frames.runs.loc[[0, 0, 1]], frames.epochs, frames.steps)
    with pytest.raises(UsageError, match="are the same run"):
        summarise(twice)
