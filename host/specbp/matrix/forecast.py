"""How long cells will take, as far as those that are done tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from specbp.experiment import METHOD_FIELDS, Experiment
from specbp.matrix.expand import Cell

STEP_FIELDS = ("dataset", "model", "arithmetic", "batch_size", "nesterov", *METHOD_FIELDS)
"""The fields that a step takes its time by."""
EPOCH_FIELDS = ("dataset", "train", "held_out", "batch_size")
"""The fields that an epoch has its number of steps by."""


def forecast(cells: Sequence[Cell], runs: pd.DataFrame) -> list[float | None]:
    """Return how long the steps of each cell will take, s; None where nothing tells.

    A step takes the mean time of steps of the same kind that are done; loading, warm-up and
    evaluation come on top.

    Args:
        cells: cells that are to be trained.
        runs: the frame `runs` of what is done.
    """
    done = runs[runs["status"] == "ok"].to_dict("records")
    step_s: dict[tuple[Any, ...], list[float]] = {}
    epoch_steps: dict[tuple[Any, ...], float] = {}
    for row in done:
        if row["steps"]:
            step_s.setdefault(_of_row(row, STEP_FIELDS), []).append(row["train_s"] / row["steps"])
            epoch_steps[_of_row(row, EPOCH_FIELDS)] = row["steps"] / row["epochs"]
    found: list[float | None] = []
    for cell in cells:
        times = step_s.get(_of(cell.experiment, STEP_FIELDS))
        steps = epoch_steps.get(_of(cell.experiment, EPOCH_FIELDS))
        found.append(
            sum(times) / len(times) * steps * cell.experiment.epochs
            if times is not None and steps is not None
            else None
        )
    return found


def together(seconds: Sequence[float | None]) -> tuple[float | None, int]:
    """Return how long cells will take together, s, and of how many of them that is not known."""
    known = [one for one in seconds if one is not None]
    return sum(known) if known else None, len(seconds) - len(known)


def in_words(seconds: float | None, unknown: int) -> str:
    """Return what `together` says, in words."""
    if seconds is None:
        return "unknown: no step of their kind is done yet"
    words = f"about {duration(seconds)} of training steps"
    return words + (f", and {unknown} cells of which it is unknown" if unknown else "")


def duration(seconds: float) -> str:
    """Return a time in words, in the unit that suits it."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _of(experiment: Experiment, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(experiment, name) for name in names)


def _of_row(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in names)
