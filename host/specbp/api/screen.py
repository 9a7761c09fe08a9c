"""The seam through which work tells a person how it goes on: a terminal, a notebook, or a log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener

_log = logging.getLogger("specbp")


class Notes(Protocol):
    """What shows remarks."""

    def note(self, line: str) -> None:
        """Show a remark."""
        ...


class Screen(Notes, Protocol):
    """Shows one person how work goes on; the command line has one of its own."""

    def note_at_once(self, line: str) -> None:
        """Show a remark from a signal handler, which may have interrupted another one."""
        ...

    def working(self, on: str) -> AbstractContextManager[Any]:
        """Show, for as long as the context lasts, what is done."""
        ...

    def progress(self, cells: int) -> AbstractContextManager[Listener]:
        """Show how the training of so many cells goes on, as the listener hears it."""
        ...


def usual_screen() -> Screen:
    """Return the screen of a Python program: a bar in a notebook, log records elsewhere."""
    from specbp.api.notebook import NotebookScreen, in_notebook

    return NotebookScreen() if in_notebook() else LogScreen()


class LogScreen:
    """Writes to the logger ``specbp``, level INFO: quiet unless a program asks for it."""

    def note(self, line: str) -> None:
        """Log a remark."""
        _log.info("%s", line)

    def note_at_once(self, line: str) -> None:
        """Log a remark."""
        self.note(line)

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Log what is done."""
        self.note(on)
        yield

    @contextmanager
    def progress(self, cells: int) -> Iterator[Listener]:
        """Log each cell that is finished."""
        yield LineForEachCell(self, cells)


class LineForEachCell:
    """A listener that notes each finished cell.

    Args:
        screen: where it is noted.
        cells: how many cells there are to train.
    """

    def __init__(self, screen: Notes, cells: int) -> None:
        self._screen, self._cells, self._finished = screen, cells, 0

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Note what is trained in turns."""
        arms = f"{len(cells)} arm{'s' if len(cells) > 1 else ''} in turns"
        resumed = f", going on from step {steps_done} of {steps}" if steps_done else ""
        model = cells[0].experiment.model
        self._screen.note(f"training {in_words(cells[0])}, {model}: {arms}{resumed}")

    def advanced(self, cell: Cell, steps: int) -> None:
        """Do nothing: there is no bar."""

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Note how a cell ended."""
        self._finished += 1
        self._screen.note(f"[{self._finished}/{self._cells}] {ending(cell, run)}")


def ending(cell: Cell, run: Mapping[str, Any]) -> str:
    """Return how a cell ended, by its row of the frame `runs`."""
    name = f"{in_words(cell)}: {cell.experiment.arm}"
    if run["status"] != "ok":
        return f"{name}: {run['status']}: {run['reason']}"
    result = "synthetic data" if run["synthetic"] else f"{run['test_accuracy']:.1%} right"
    return f"{name}: {run['step_ms']:.2f} ms/step, {result}" if cell.timed else f"{name}: {result}"


def in_words(cell: Cell) -> str:
    """Return what a cell trains on, in words."""
    experiment = cell.experiment
    start = f", start {cell.start}" if cell.start else ""
    return f"{experiment.dataset}, batch {experiment.batch_size}, seed {experiment.seed}{start}"
