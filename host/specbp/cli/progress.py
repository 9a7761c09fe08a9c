"""The screen of the command line: a bar on a terminal, a line per finished cell elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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

from specbp.api.screen import LineForEachCell, in_words
from specbp.cli.terminal import console, note, note_at_once
from specbp.matrix.expand import Cell


class TerminalScreen:
    """Shows on standard error how work goes on, so that results can be piped."""

    def note(self, line: str) -> None:
        """Print a remark."""
        note(line)

    def note_at_once(self, line: str) -> None:
        """Print a remark from a signal handler."""
        note_at_once(line)

    def working(self, on: str) -> AbstractContextManager[Any]:
        """Show what is done, on a terminal."""
        return console(stderr=True).status(on)

    @contextmanager
    def progress(self, cells: int) -> Iterator[ProgressDisplay]:
        """Draw a bar for as long as the context lasts."""
        with ProgressDisplay(console(stderr=True), cells) as display:
            yield display


class ProgressDisplay:
    """A listener that draws on `console`; use it as a context manager.

    Args:
        console: where to draw; standard error, so that results can be piped.
        cells: how many cells there are to run.
    """

    def __init__(self, console: Console, cells: int) -> None:
        self._console = console
        self._lines = LineForEachCell(self, cells)
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
        self._tasks: dict[str, tuple[TaskID, set[str]]] = {}

    def __enter__(self) -> ProgressDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Start a bar for cells that take turns; a cluster or a fleet may train several at once."""
        what = in_words(cells[0])
        self._end_bar(cells[0].workload)
        task = self._progress.add_task(what, total=steps, completed=steps_done)
        self._tasks[cells[0].workload] = task, {cell.hash for cell in cells}
        if not self._console.is_terminal:
            self._lines.began(cells, steps, steps_done)

    def advanced(self, cell: Cell, steps: int) -> None:
        """Move the bar on."""
        if cell.workload in self._tasks:
            self._progress.advance(self._tasks[cell.workload][0], steps)

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Print a line for the cell, and end the bar with the last one of it."""
        if cell.workload in self._tasks:
            left = self._tasks[cell.workload][1]
            left.discard(cell.hash)
            if not left:
                self._end_bar(cell.workload)
        self._lines.finished(cell, run)

    def _end_bar(self, workload: str) -> None:
        if workload in self._tasks:
            self._progress.remove_task(self._tasks.pop(workload)[0])

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
