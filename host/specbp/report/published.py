"""The frames beside a report, as plain tables that anyone can read and recompute it from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from specbp.errors import UsageError
from specbp.frames import Frames

SIGNIFICANT_MS = 3
"""Decimals of a time in ms: microseconds, all that the clock is good for."""


def rounds(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the frame `steps` summed up to rounds, the turns in which arms were timed.

    Columns: cell, epoch, round, steps, step_ms (of all of them), accepts, rejects (null where
    nothing is speculated).
    """
    groups = steps.groupby(["cell", "epoch", "round"], sort=False)
    summed = groups[["step_ms", "accepts", "rejects"]].sum(min_count=1)
    summed.insert(0, "steps", groups.size())
    summed["step_ms"] = summed["step_ms"].round(SIGNIFICANT_MS)
    return summed.reset_index()


def write_frames(frames: Frames, folder: Path) -> tuple[Path, ...]:
    """Write ``runs.csv``, ``epochs.csv`` and ``rounds.csv`` into `folder`, made if need be.

    Columns without any value are left out; those of the rest are explained in `specbp.frames`.

    Raises:
        UsageError: the folder cannot be written.
    """
    tables = {
        folder / "runs.csv": frames.runs,
        folder / "epochs.csv": frames.epochs,
        folder / "rounds.csv": rounds(frames.steps),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, table in tables.items():
            table.dropna(axis="columns", how="all").to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise UsageError(f"cannot write the frames to {folder}: {error.strerror}") from error
    return tuple(tables)
