"""How far the matrices of a results folder are, as another process can see it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from specbp import durable
from specbp.errors import UsageError
from specbp.matrix.checkpoint import Checkpoint
from specbp.matrix.expand import Cell
from specbp.matrix.forecast import forecast, together
from specbp.matrix.store import Store

State = Literal["done", "failed", "skipped", "begun", "waiting"]
STATES: tuple[State, ...] = ("done", "failed", "skipped", "begun", "waiting")

_FOLDER = "asked"


@dataclass(frozen=True)
class ComparisonStatus:
    """How far the cells are that take turns.

    Attributes:
        matrix: name of the matrix.
        work: data set, model, batch size, seed and start, in words.
        counts: number of cells in each state.
        failures: reasons of the failed cells.
        checkpoint_s: seconds since the last checkpoint; None where there is none.
    """

    matrix: str
    work: str
    counts: dict[State, int]
    failures: tuple[str, ...]
    checkpoint_s: float | None


@dataclass(frozen=True)
class FolderStatus:
    """How far a results folder is.

    Attributes:
        comparisons: all comparisons that were asked for, in the order in which they are trained.
        is_written: whether a process is training into the folder now.
        expected_s: seconds that the steps of cells take that are not done, as far as cells that
            are done tell; None where they tell nothing.
        unknown: number of such cells of which that is not known.
    """

    comparisons: tuple[ComparisonStatus, ...]
    is_written: bool
    expected_s: float | None
    unknown: int


def note_asked(cells: Sequence[Cell], store: Store) -> None:
    """Write down which cells a run was asked for, so that `status_of` knows the whole of it.

    Args:
        cells: all cells of the run, also those that are done.
        store: the results folder, locked by the caller.
    """
    folder = store.path / _FOLDER
    durable.make_folder(folder)
    rows = [
        {
            "cell": cell.hash,
            "workload": cell.workload,
            "repeat": cell.repeat,
            "start": cell.start,
            "experiment": cell.experiment.model_dump(),
        }
        for cell in cells
    ]
    durable.write(folder / f"{cells[0].matrix}.json", json.dumps(rows).encode())


def status_of(store: Store) -> FolderStatus:
    """Return how far everything is that the results folder was asked for.

    Raises:
        UsageError: a file is damaged.
    """
    frames = store.load()
    runs = frames.runs.set_index("cell")[["status", "reason"]].to_dict("index")
    found: list[ComparisonStatus] = []
    left: list[Cell] = []
    for path in sorted((store.path / _FOLDER).glob("*.json")):
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in _rows(path):
            groups.setdefault(row["workload"], []).append(row)
        for workload, rows in groups.items():
            folder = store.unfinished / workload
            saved = Checkpoint(folder).read() if folder.is_dir() else None
            begun = saved.cells if saved else set()
            states = [_state(row["cell"], runs, begun) for row in rows]
            cells = [_cell(path.stem, row) for row in rows]
            left += [
                cell
                for cell, state in zip(cells, states, strict=True)
                if state in ("begun", "waiting")
            ]
            found.append(
                ComparisonStatus(
                    path.stem,
                    _work_in_words(cells[0]),
                    {state: count for state in STATES if (count := Counter(states)[state])},
                    tuple(
                        str(runs[row["cell"]]["reason"])
                        for row, state in zip(rows, states, strict=True)
                        if state == "failed"
                    ),
                    _age(folder / "state.pt") if saved else None,
                )
            )
    is_written = _is_locked(store.path / ".lock")
    return FolderStatus(tuple(found), is_written, *together(forecast(left, frames.runs)))


def _state(cell: str, runs: dict[Any, Any], begun: set[str]) -> State:
    if cell in runs:
        status: State = {"ok": "done"}.get(runs[cell]["status"], runs[cell]["status"])
        return status
    return "begun" if cell in begun else "waiting"


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_bytes())
        for row in rows:
            _cell(path.stem, row)
            row["cell"], row["workload"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: damaged: {str(error).partition(chr(10))[0]}: delete it; the next run of its "
            "matrix writes it anew"
        ) from error
    return rows


def _cell(matrix: str, row: dict[str, Any]) -> Cell:
    from specbp.experiment import Experiment

    experiment = Experiment.model_construct(**row["experiment"])
    return Cell(matrix, int(row["repeat"]), experiment, int(row["start"]))


def _work_in_words(cell: Cell) -> str:
    one = cell.experiment
    words = f"{one.dataset}, {one.model}, batch {one.batch_size}, seed {one.seed}"
    return words + (f", start {cell.start}" if cell.start else "")


def _age(path: Path) -> float | None:
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return None


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # of a folder that is for reading only, nobody trains
        return False
