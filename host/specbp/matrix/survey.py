"""What a results folder has of a matrix, and what of it can be compared: said before training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specbp.counting import count
from specbp.errors import UsageError
from specbp.matrix.checkpoint import FROM_THE_START, Checkpoint, Saved
from specbp.matrix.expand import Cell
from specbp.matrix.store import Store
from specbp.provenance import ORIGIN, difference

Runs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Survey:
    """What there is to do.

    Attributes:
        to_do: the cells to train.
        remarks: what the user must know before that, one line each.
    """

    to_do: list[Cell]
    remarks: list[str]


def comparisons(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Return the cells that take turns, by their workload."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.workload, []).append(cell)
    return groups


def missing(cells: Sequence[Cell], store: Store, retry_failed: bool) -> list[Cell]:
    """Return the cells that `store` does not have yet.

    Args:
        cells: cells of the matrix.
        store: the results folder.
        retry_failed: count cells that failed as missing.
    """
    return _missing(cells, store.stored().runs, retry_failed)


def survey(
    cells: Sequence[Cell],
    store: Store,
    retry_failed: bool = False,
    matrix: Sequence[Cell] | None = None,
    changed: Callable[[Sequence[Cell], Runs], Sequence[Cell]] = lambda cells, runs: (),
    columns: Collection[str] = tuple(ORIGIN),
) -> Survey:
    """Return which of `cells` are to be trained, and what of the folder cannot be compared.

    Args:
        cells: cells that are asked for.
        store: the results folder, locked by the caller.
        retry_failed: count cells that failed as missing.
        matrix: all cells of the matrix they are of; None for a single experiment, which is
            compared with nothing.
        changed: which of the cells that are there were measured on what is no longer so.
        columns: columns of `ORIGIN` that must be as they are here to go on from a checkpoint.

    Raises:
        UsageError: a file is damaged, or cells cannot go on from where they were left.
    """
    stored = store.stored()
    due = {cell.hash for cell in _missing(cells, stored.runs, retry_failed)}
    due |= {
        cell.hash for cell in changed([cell for cell in cells if cell.hash not in due], stored.runs)
    }
    to_do = [cell for cell in cells if cell.hash in due]
    require_resumable(to_do, store, columns)
    there = {cell.hash: stored.runs[cell.hash] for cell in cells if cell.hash not in due}
    remarks = []
    if stored.half_made:
        remarks.append(
            f"{stored.half_made[0]}: {count(len(stored.half_made), 'cell')} half-made: "
            "counted as missing"
        )
    if there:
        remarks.append(_there(len(there), len(cells), there.values(), again=matrix is not None))
    if matrix is not None:
        remarks += _not_in_turns(cells, there)
        remarks += _not_of_matrix(matrix, stored.runs, store)
    return Survey(to_do, [f"{store.path}: {remark}" for remark in remarks])


def require_resumable(
    cells: Sequence[Cell], store: Store, columns: Collection[str] = tuple(ORIGIN)
) -> None:
    """Refuse to go on from checkpoints that do not fit `cells` or what would train them.

    Args:
        cells: cells to train.
        store: the results folder.
        columns: columns of `ORIGIN` that must be as they were.

    Raises:
        UsageError: one does not.
    """
    for workload, together in comparisons(cells).items():
        saved = Checkpoint(store.unfinished / workload).read()
        reason = saved and _not_resumable(saved, together, columns)
        if reason:
            raise UsageError(f"{store.path}: {reason}")


def forget_of_other_machine(cells: Sequence[Cell], store: Store) -> None:
    """Delete the checkpoint of a comparison where this machine cannot go on from it.

    Args:
        cells: cells of one comparison.
        store: the results folder.
    """
    checkpoint = Checkpoint(store.unfinished / cells[0].workload)
    saved = checkpoint.read()
    if saved is not None and difference(saved.origin):
        checkpoint.delete()


def forget(cells: Sequence[Cell], store: Store) -> None:
    """Delete what `store` has of `cells`, checkpoints included."""
    for workload, together in comparisons(cells).items():
        Checkpoint(store.unfinished / workload).delete()
        for cell in together:
            store.delete(cell.hash)


def forget_matrix(cells: Sequence[Cell], store: Store) -> None:
    """Delete what `store` has of a matrix, also of cells that it no longer has.

    Args:
        cells: all cells of the matrix.
        store: the results folder, locked by the caller.
    """
    forget(cells, store)
    names = {cell.matrix for cell in cells}
    for cell, run in store.stored().runs.items():
        if run["matrix"] in names:
            store.delete(cell)
    for checkpoint, saved in _checkpoints(store):
        if saved is None or saved.matrix in names:
            checkpoint.delete()


def incomparable(cells: Sequence[Cell], store: Store, retry_failed: bool) -> list[Cell]:
    """Return the cells of all comparisons of which only a part is there, or parts from two times.

    Args:
        cells: cells that are asked for.
        store: the results folder, locked by the caller.
        retry_failed: count cells that failed as missing.
    """
    runs = store.stored().runs
    found: list[Cell] = []
    for workload, together in comparisons(cells).items():
        to_do = _missing(together, runs, retry_failed)
        done = [runs[cell.hash] for cell in together if cell not in to_do]
        try:
            saved = Checkpoint(store.unfinished / workload).read()
            broken = saved is not None and _not_resumable(saved, together) is not None
        except UsageError:
            broken = True
        apart = len({run["session"] for run in done}) > 1
        untimed = any(cell.timed for cell in together) and any(
            run["status"] == "ok" and run["session"] is None for run in done
        )
        if broken or (done and (to_do or apart or untimed or any(map(difference, done)))):
            found += together
    return found


def _missing(cells: Sequence[Cell], runs: Runs, retry_failed: bool) -> list[Cell]:
    done = {"ok"} if retry_failed else {"ok", "failed"}
    return [
        cell for cell in cells if cell.hash not in runs or runs[cell.hash]["status"] not in done
    ]


def _not_resumable(
    saved: Saved, cells: Sequence[Cell], columns: Collection[str] = tuple(ORIGIN)
) -> str | None:
    """Return why `cells` cannot go on from `saved`, None where they can."""
    left_out = saved.cells - {cell.hash for cell in cells}
    if left_out:
        return (
            f"{len(left_out)} of the half-trained cells that take turns with these "
            f"{_are(len(left_out))} not asked for now: run the matrix as it was, without "
            f"--filter, to finish them, or {FROM_THE_START}"
        )
    other = difference(saved.origin, columns)
    if other:
        return (
            f"{count(len(saved.cells), 'half-trained cell')} were begun by {other}: "
            f"finish them by the same, or {FROM_THE_START}"
        )
    return None


def _there(done: int, cells: int, runs: Iterable[Mapping[str, Any]], again: bool) -> str:
    """Say how many cells are there, and by what other means they were measured."""
    others = [words for words in map(difference, runs) if words]
    words = f"{done} of {cells} cells are there already"
    if not others:
        return f"{words} (--fresh measures them again)"
    kinds = sorted(set(others))
    more = f" and {len(kinds) - 1} more" if len(kinds) > 1 else ""
    option = "--again measures their comparisons again" if again else "--fresh measures them again"
    return f"{words}, {len(others)} of them measured by {kinds[0]}{more}: {option}"


def _not_in_turns(cells: Sequence[Cell], there: Runs) -> list[str]:
    """Say which arms are not timed in turns with others of their comparison."""
    new, apart = 0, 0
    for together in comparisons(cells).values():
        sessions = {there[cell.hash]["session"] for cell in together if cell.hash in there}
        alone = [cell for cell in together if cell.hash not in there]
        new += len(alone) if sessions else 0
        apart += len(sessions) > 1
    remarks = []
    if new:
        remarks.append(
            f"{count(new, 'cell')} will not be timed in turns with the arms of the same work "
            "that are there already, so their times cannot be compared: --again trains these "
            "comparisons again, whole"
        )
    if apart:
        remarks.append(
            f"the arms of {count(apart, 'comparison')} there were not timed in turns, so their "
            "times cannot be compared: --again trains them again, whole"
        )
    return remarks


def _not_of_matrix(matrix: Sequence[Cell], runs: Runs, store: Store) -> list[str]:
    """Say what the folder has that is not of the matrix as it is now."""
    name = matrix[0].matrix
    starts = 1 + max((run["start"] or 0 for run in runs.values()), default=0)
    own = {cell.hash for cell in matrix}
    own |= {replace(cell, start=start).hash for cell in matrix for start in range(starts)}
    remarks = []
    others = [str(run["matrix"]) for cell, run in runs.items() if cell not in own]
    if others:
        names = ", ".join(
            f"{name} as it was before" if other == name else other for other in sorted(set(others))
        )
        remarks.append(
            f"{count(len(others), 'cell')} there {_are(len(others))} not of this matrix but of "
            f"{names}; a report shows them too: --results takes another folder, --fresh deletes "
            f"what is of {name}"
        )
    orphans = [saved for _, saved in _checkpoints(store) if not (saved and saved.cells & own)]
    if orphans:
        remarks.append(
            f"{count(len(orphans), 'half-trained comparison')} there {_are(len(orphans))} not of "
            "this matrix: "
            f"the matrix that they are of finishes them, --fresh deletes what is of {name}"
        )
    return remarks


def _checkpoints(store: Store) -> list[tuple[Checkpoint, Saved | None]]:
    """Return all checkpoints of a results folder, and what they hold; None where damaged."""
    found: list[tuple[Checkpoint, Saved | None]] = []
    for folder in sorted(store.unfinished.glob("[!.]*")):
        checkpoint = Checkpoint(folder)
        try:
            saved = checkpoint.read()
        except UsageError:
            found.append((checkpoint, None))
        else:
            if saved is not None:
                found.append((checkpoint, saved))
    return found


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
