"""A progress bar in a notebook. It is HTML that replaces itself, so no widgets are needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from specbp.api.screen import ending, in_words
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener

SECONDS_BETWEEN_DRAWINGS = 0.2


def in_notebook() -> bool:
    """Return whether this process shows what it displays in a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookScreen:
    """Shows how work goes on below the cell of a notebook that asked for it."""

    def note(self, line: str) -> None:
        """Show a remark."""
        _display(f"<div>{escape(line)}</div>")

    def note_at_once(self, line: str) -> None:
        """Show a remark."""
        self.note(line)

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Show what is done, and clear it in the end."""
        shown = _display(f"<div>{escape(on)} …</div>")
        try:
            yield
        finally:
            _replace(shown, "")

    @contextmanager
    def progress(self, cells: int) -> Iterator[Listener]:
        """Show a bar, and a line for each finished cell; both stay when the work is interrupted."""
        bar = Bar(cells)
        try:
            yield bar
        finally:
            bar.draw()


class Bar:
    """A listener that draws a bar and the cells that are finished.

    Args:
        cells: how many cells there are to train.
    """

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._what, self._steps, self._done = "", 1, 0
        self._lines: list[str] = []
        self._shown = _display("")
        self._drawn_at = 0.0

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Begin the bar of cells that take turns."""
        self._what, self._steps, self._done = in_words(cells[0]), steps, steps_done
        self.draw()

    def advanced(self, cell: Cell, steps: int) -> None:
        """Move the bar on."""
        self._done += steps
        if time.monotonic() - self._drawn_at >= SECONDS_BETWEEN_DRAWINGS:
            self.draw()

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Add a line."""
        self._lines.append(f"[{len(self._lines) + 1}/{self._cells}] {ending(cell, run)}")
        self.draw()

    def draw(self) -> None:
        """Draw all of it anew."""
        lines = "".join(f"<div>{escape(line)}</div>" for line in self._lines)
        share = f"step {self._done} of {self._steps}"
        bar = (
            f'<div>{escape(self._what)} <progress value="{self._done}" max="{self._steps}">'
            f"</progress> {share}</div>"
        )
        _replace(self._shown, lines + (bar if self._what else ""))
        self._drawn_at = time.monotonic()


def _display(html: str) -> Any:
    from IPython import display

    tools: Any = display
    return tools.display(tools.HTML(html), display_id=True)


def _replace(shown: Any, html: str) -> None:
    from IPython import display

    tools: Any = display
    shown.update(tools.HTML(html))
