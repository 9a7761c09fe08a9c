"""Which cells of a matrix are asked for; loads no PyTorch, so that mistakes show at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from specbp.datasets.catalog import forget_own
from specbp.errors import NothingMeasuredError
from specbp.matrix.expand import Cell, expand, in_starts, matrix_from, read_matrix
from specbp.matrix.filters import picked
from specbp.matrix.sharding import shard


class Chosen(NamedTuple):
    """Cells of a matrix.

    Attributes:
        name: name of the matrix.
        cells: the cells that are asked for.
        matrix: all cells of the matrix.
        starts: each comparison is trained in a new process.
    """

    name: str
    cells: list[Cell]
    matrix: list[Cell]
    starts: bool

    def folder(self, results: Path | None) -> Path:
        """Return the results folder: that of the matrix unless another one is given."""
        return results or Path("results") / self.name


def cells_of(
    matrix: str | Path | Mapping[str, Any],
    filters: Iterable[str] = (),
    starts: int | None = None,
    part: str | None = None,
) -> Chosen:
    """Return the cells of a matrix that are asked for.

    Args:
        matrix: file of the matrix, or its content.
        filters: what the cells must have.
        starts: how often each is trained, each time in a new process.
        part: K/N, the K-th of N parts of the matrix; None for all of it.

    Raises:
        UsageError: the matrix is not valid, or a filter matches nothing.
        NothingMeasuredError: it has no cell.
    """
    forget_own()
    if isinstance(matrix, Mapping):
        read, where = matrix_from(matrix, "matrix", "matrix"), "matrix"
    else:
        read, where = read_matrix(Path(matrix)), Path(matrix).name
    every = expand(read, where)
    cells = picked(every, list(filters), where)
    if starts:
        every, cells = in_starts(every, starts), in_starts(cells, starts)
    if part:
        cells = shard(cells, part, where)
    if not cells:
        raise NothingMeasuredError(f"{where}: [[exclude]] leaves no cell: nothing was measured")
    return Chosen(read.name, cells, every, bool(starts))
