"""One part of a matrix of several, for machines that know nothing of one another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specbp.errors import NothingMeasuredError, UsageError
from specbp.experiment import content_hash
from specbp.matrix.expand import Cell

_FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


def shard(cells: Sequence[Cell], part: str, where: str) -> list[Cell]:
    """Return the cells of one part of a matrix.

    Comparisons are dealt out in turn, so that their arms stay together; whoever takes part 1 of 8
    and whoever takes part 2 of 8 have none in common, and all eight together have all.

    Args:
        cells: cells of the matrix, in the order in which it is written.
        part: which part of how many, such as ``2/8``.
        where: what to call the matrix in an error.

    Raises:
        UsageError: there is no such part.
        NothingMeasuredError: there are fewer comparisons than parts, and none is left for this one.
    """
    match = _FORM.fullmatch(part)
    number, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= parts:
        raise UsageError(f"--shard {part}: write which part of how many, from 1/2 to 2/2")
    order: dict[tuple[int, str], int] = {}
    keys = [(cell.start, content_hash(cell.experiment.workload)) for cell in cells]
    for key in keys:
        order.setdefault(key, len(order))
    mine = [cell for cell, key in zip(cells, keys, strict=True) if order[key] % parts == number - 1]
    if not mine:
        raise NothingMeasuredError(
            f"{where}: --shard {part}: there are {len(order)} comparisons: none is left for this "
            "part, so nothing was measured"
        )
    return mine
