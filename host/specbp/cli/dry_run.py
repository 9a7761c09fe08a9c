"""What `specbp bench --dry-run` says: the cells, which are done, and how long the others take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from specbp.api.anew import Anew
from specbp.cli.terminal import say, say_json, show
from specbp.counting import count
from specbp.experiment import WORK_FIELDS
from specbp.frames import empty
from specbp.matrix.checkpoint import Checkpoint
from specbp.matrix.expand import Cell
from specbp.matrix.forecast import forecast, in_words, together
from specbp.matrix.store import Store
from specbp.matrix.survey import incomparable

DONE, FAILED, BEGUN, TO_DO = "done", "failed", "begun", "to do"


def show_plan(
    cells: Sequence[Cell], results: Path, retry_failed: bool, anew: Anew, json_output: bool
) -> None:
    """Print what the same command without `--dry-run` would do; nothing is written.

    Args:
        cells: cells that are asked for.
        results: the results folder, which need not be there.
        retry_failed: cells that failed are to be done again.
        anew: what is to be done although it is there.
        json_output: whether to print JSON.

    Raises:
        UsageError: the results folder is of another version, or something else.
    """
    store = Store.open(results) if results.is_dir() and any(results.iterdir()) else None
    runs = store.load().runs if store else empty("runs")
    statuses = dict(zip(runs["cell"], runs["status"], strict=True))
    states = [_state(cell, statuses, store, retry_failed) for cell in cells]
    if anew is Anew.EVERYTHING:
        states = [TO_DO] * len(cells)
    elif anew is Anew.INCOMPARABLE and store:
        whole = incomparable(cells, store, retry_failed)
        states = [
            TO_DO if cell in whole else state for cell, state in zip(cells, states, strict=True)
        ]
    left = [state in (BEGUN, TO_DO) for state in states]
    expected = [
        seconds if wanted else 0.0
        for seconds, wanted in zip(forecast(cells, runs), left, strict=True)
    ]
    if json_output:
        say_json(
            [
                {
                    "cell": cell.hash,
                    "arm": cell.experiment.arm,
                    "repeat": cell.repeat,
                    "start": cell.start,
                    "state": state,
                    "expected_s": seconds,
                    **cell.experiment.model_dump(),
                }
                for cell, state, seconds in zip(cells, states, expected, strict=True)
            ]
        )
        return
    show(_table(cells, states))
    say()
    say(
        f"{count(len(cells), 'cell')} for {results}: "
        + ", ".join(
            f"{states.count(state)} {state}"
            for state in (DONE, FAILED, BEGUN, TO_DO)
            if states.count(state)
        )
    )
    if any(left):
        rest = [seconds for seconds, wanted in zip(expected, left, strict=True) if wanted]
        say(f"time left: {in_words(*together(rest))}")


def _state(cell: Cell, statuses: dict[str, str], store: Store | None, retry_failed: bool) -> str:
    status = statuses.get(cell.hash)
    if status == "ok":
        return DONE
    if status == "failed" and not retry_failed:
        return FAILED
    folder = store.unfinished / cell.workload if store else None
    if folder is not None and folder.is_dir():
        saved = Checkpoint(folder).read()
        if saved and cell.hash in saved.arms:
            return BEGUN
    return TO_DO


def _table(cells: Sequence[Cell], states: Sequence[str]) -> Table:
    """Return a table of `cells`: their arm, and the fields of the work in which they differ."""
    described = [cell.experiment.model_dump() for cell in cells]
    varied = [name for name in WORK_FIELDS if len({str(fields[name]) for fields in described}) > 1]
    if any(cell.start for cell in cells):
        varied.append("start")
    table = Table(box=None, pad_edge=False)
    for heading in ("cell", "state", "arm", *varied):
        table.add_column(heading, overflow="fold")
    for cell, state, fields in zip(cells, states, described, strict=True):
        fields["start"] = cell.start
        values = ["" if fields[name] is None else str(fields[name]) for name in varied]
        table.add_row(cell.hash, state, cell.experiment.arm, *values)
    return table
