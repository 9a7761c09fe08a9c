"""Results folders put together: of one matrix that several machines trained, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specbp.errors import UsageError
from specbp.matrix.store import Store

MOST_NAMED = 3
"""Conflicting cells that an error names."""


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        copied: cells that it copied.
        already_there: cells that the target had before, with the same content.
        repeated: cells that several sources have, with the same content.
    """

    copied: int
    already_there: int
    repeated: int


def merge(sources: Sequence[Store], target: Store) -> Merged:
    """Copy the finished cells of `sources` into `target`, each once.

    All is checked before the first cell is copied. A merge that was interrupted goes on when it is
    asked for again.

    Args:
        sources: the results folders to copy from, which are left as they are.
        target: the results folder to copy to, locked by the caller.

    Raises:
        UsageError: a file is damaged or half-made, or two folders have a cell of the same
            description with different content.
    """
    there = target.contents()
    found = dict(there)
    origins = dict.fromkeys(there, target)
    conflicts: list[str] = []
    already: set[str] = set()
    repeated = 0
    for source in sources:
        for cell, files in source.contents().items():
            if cell not in found:
                found[cell], origins[cell] = files, source
            elif found[cell] != files:
                conflicts.append(f"{cell} in {origins[cell].path} and {source.path}")
            elif origins[cell] is target:
                already.add(cell)
            else:
                repeated += 1
    if conflicts:
        raise UsageError(_in_conflict(conflicts))
    new = {cell: files for cell, files in found.items() if cell not in there}
    target.adopt(new)
    return Merged(len(new), len(already), repeated)


def _in_conflict(conflicts: Sequence[str]) -> str:
    more = len(conflicts) - MOST_NAMED
    also = f" and {more} more" if more > 0 else ""
    return (
        f"trained twice, with different content: cell {', '.join(conflicts[:MOST_NAMED])}{also}: "
        "nothing was merged; leave one of the folders out, or delete the cell's folder in one "
        "(to measure again on purpose, train with specbp bench --starts)"
    )
