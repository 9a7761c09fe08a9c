"""Draws how a matrix goes on: a bar on a terminal, a line per finished cell elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from specbp.matrix.expand import Cell


class ProgressDisplay:
    """A listener that draws on `console`; use it as a context manager.

    Args:
        console: where to draw; standard error, so that results can be piped.
        cells: how many cells there are to run.
    """

    def __init__(self, console: Console, cells: int) -> None:
        self._console = console
        self._cells = cells
        self._finished = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Start a bar for cells that take turns."""
        arms = f"{len(cells)} arm{'s' if len(cells) > 1 else ''} in turns"
        what = _where(cells[0])
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=steps, completed=steps_done)
        if not self._console.is_terminal:
            resumed = f", going on from step {steps_done} of {steps}" if steps_done else ""
            self._print(f"training {what}, {cells[0].experiment.model}: {arms}{resumed}")

    def advanced(self, cell: Cell, steps: int) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._progress.advance(self._task, steps)

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Print a line for the cell."""
        self._finished += 1
        counter = f"[{self._finished}/{self._cells}]"
        name = f"{_where(cell)}: {cell.experiment.arm}"
        if run["status"] == "ok":
            self._print(
                f"{counter} {name}: {run['step_ms']:.2f} ms/step, "
                + ("synthetic data" if run["synthetic"] else f"{run['test_accuracy']:.1%} right")
            )
        else:
            self._print(f"{counter} {name}: {run['status']}: {run['reason']}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _where(cell: Cell) -> str:
    experiment = cell.experiment
    start = f", start {cell.start}" if cell.start else ""
    return f"{experiment.dataset}, batch {experiment.batch_size}, seed {experiment.seed}{start}"
