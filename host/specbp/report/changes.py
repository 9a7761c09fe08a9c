"""What two sets of frames say differently of the same cells, in columns that must repeat.

Weights, accuracies, losses, decisions, cycles and simulated times are the same in every run of a
cell, on any machine with the same kernels; where a change of the code was to change none of them,
none may differ. Times are not looked at: they never repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from specbp.frames import Frames, repeatable_columns

NAMES = ("cell", "matrix")
"""Columns that name a row rather than say something of it."""
KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("cell",),
    "epochs": ("cell", "epoch"),
    "steps": ("cell", "step"),
}
ROUND_KEYS = ("cell", "epoch", "round")
"""What tells rows of published steps apart, which are sums over the turns of an arm."""


@dataclass(frozen=True)
class Change:
    """A column of a cell that is not what it was.

    Attributes:
        cell: content hash of the cell.
        arm: name of its method.
        work: data set, batch size and seed, in words.
        frame: name of the frame.
        column: name of the column.
        rows: number of rows that differ.
        where: the first of them, in words; empty in the frame `runs`.
        old: value of the column before.
        new: value of the column now.
    """

    cell: str
    arm: str
    work: str
    frame: str
    column: str
    rows: int
    where: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Changes:
    """All differences of two sets of frames.

    Attributes:
        compared: number of cells that both have.
        only_old: cells that only the first has.
        only_new: cells that only the second has.
        changes: what differs in the cells of both.
    """

    compared: int
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    changes: tuple[Change, ...]


def changes(old: Frames, new: Frames) -> Changes:
    """Return what differs between two sets of frames in columns that must repeat.

    Args:
        old: frames of before.
        new: frames of now.
    """
    before, now = set(old.runs["cell"]), set(new.runs["cell"])
    both = before & now
    about = old.runs.set_index("cell")
    found: list[Change] = []
    for name in KEYS:
        pair = [getattr(frames, name) for frames in (old, new)]
        tables = [table[table["cell"].isin(both)] for table in pair]
        found += _of_frame(name, tables[0], tables[1], about)
    return Changes(
        len(both),
        tuple(sorted(before - now)),
        tuple(sorted(now - before)),
        tuple(sorted(found, key=lambda one: (one.work, one.arm, one.cell))),
    )


def _of_frame(name: str, old: pd.DataFrame, new: pd.DataFrame, about: pd.DataFrame) -> list[Change]:
    """Return the changes of one frame, one for each cell and column."""
    keys = list(KEYS[name])
    if name == "steps" and not {"step"} <= set(old.columns) & set(new.columns):
        keys = list(ROUND_KEYS)
    repeatable = repeatable_columns(name)
    columns = [
        column
        for column in repeatable
        if column not in (*NAMES, *keys) and column in old.columns and column in new.columns
    ]
    old, new = (frame.set_index(keys).sort_index()[columns] for frame in (old, new))
    rows = old.index.union(new.index)
    one, other = old.reindex(rows), new.reindex(rows)
    found = []
    for column in columns:
        differs = ~_equal(one[column], other[column])
        for cell, there in differs[differs].groupby(level="cell"):
            first = there.index[0]
            found.append(
                Change(
                    str(cell), str(about["arm"].loc[cell]), _work(about.loc[cell]), name, column,
                    len(there), _place(keys, first), _plain(one[column].loc[first]),
                    _plain(other[column].loc[first]),
                )
            )  # fmt: skip
    return found


def _equal(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return where two columns agree; two missing values do."""
    same: pd.Series = (one == other).fillna(value=False) | (one.isna() & other.isna())
    return same.astype(bool)


def _place(keys: Sequence[str], row: Any) -> str:
    if len(keys) == 1:
        return ""
    return ", ".join(f"{key} {value}" for key, value in zip(keys[1:], row[1:], strict=True))


def _work(run: Any) -> str:
    return f"{run['dataset']}, batch {run['batch_size']}, seed {run['seed']}"


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
