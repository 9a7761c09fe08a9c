"""The seam through which a matrix tells how it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from specbp.matrix.expand import Cell


class Listener(Protocol):
    """Hears how a matrix goes on; the command line draws it, tests record it."""

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Training of `cells` begins: `steps` in all, of which some may be done already."""
        ...

    def advanced(self, cell: Cell, steps: int) -> None:
        """A cell has done `steps` more steps."""
        ...

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """A cell is on disk, or has failed; `run` is its row of the frame `runs`."""
        ...
