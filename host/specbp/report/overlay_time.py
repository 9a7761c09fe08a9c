"""Arms on a simulated overlay, timed by the overlay's clock and not by the simulator's."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from specbp.backends.table import BACKENDS
from specbp.frames import Frames

SIMULATED = tuple(backend.name for backend in BACKENDS if backend.simulated)
"""Backends whose wall time is that of the simulation, which says nothing about the overlay."""


def with_overlay_time(frames: Frames) -> Frames:
    """Return `frames` with the overlay's own time as time of the simulated arms.

    The time of a step is its cycles at the clock that was set; parts of a step, which the host
    timed, are null. Frames without such arms, and those this returned, are returned as they are.
    """
    runs = frames.runs
    simulated = set(runs.loc[runs["backend"].isin(SIMULATED), "cell"])
    chosen = frames.steps["cell"].isin(simulated) & frames.steps["cycles"].notna()
    if not chosen.any():
        return frames
    steps = frames.steps.copy()
    timed = [str(name) for name in steps.columns if str(name).endswith("_ms")]
    milliseconds = steps["cycles"].astype("float64") / (steps["clock_mhz"] * 1e3)
    steps.loc[chosen, timed] = float("nan")
    steps.loc[chosen, "step_ms"] = milliseconds[chosen]
    return replace(frames, steps=steps, epochs=_epochs(frames.epochs, steps[chosen]))


def _epochs(epochs: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Return `epochs` with the time up to each epoch's end as the sum of its `steps`."""
    by_epoch = steps.groupby(["cell", "epoch"])["step_ms"].sum().groupby("cell").cumsum() / 1e3
    keys = pd.MultiIndex.from_frame(epochs[["cell", "epoch"]])
    found = pd.Series(by_epoch.reindex(keys).to_numpy(), index=epochs.index)
    timed = epochs.copy()
    timed["train_s"] = found.fillna(epochs["train_s"])
    return timed
