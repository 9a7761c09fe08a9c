"""Runs the cells of a matrix that are missing from a results folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from specbp.backends import Training
from specbp.backends.opening import open_training as open_on_backend
from specbp.datasets.loading import Dataset
from specbp.errors import NothingMeasuredError, UsageError
from specbp.experiment import Experiment
from specbp.matrix.checkpoint import Checkpoint, Saved
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.session import OpenTraining, Session
from specbp.matrix.store import Store

CHECKPOINT_SECONDS = 30.0


def missing(cells: Sequence[Cell], store: Store, retry_failed: bool) -> list[Cell]:
    """Return the cells that `store` does not have yet.

    Args:
        cells: of the matrix.
        store: the results folder.
        retry_failed: count cells that failed as missing.
    """
    statuses = store.statuses()
    done = {"ok"} if retry_failed else {"ok", "failed"}
    return [cell for cell in cells if statuses.get(cell.hash) not in done]


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    open_training: OpenTraining,
    listener: Listener,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train `cells` and store them; those with equal workloads are trained in turns.

    Cells in flight when the process last ended go on from their checkpoint.

    Args:
        cells: what to train.
        store: the results folder, locked by the caller.
        open_training: makes the training of an experiment.
        listener: hears how it goes on.
        checkpoint_seconds: time between checkpoints.
        stop: asked between blocks; true ends the run with a checkpoint.

    Raises:
        Stopped: `stop` said so.
        UsageError: cells that take turns would not do equal work.
        NothingMeasuredError: there are no cells.
    """
    if not cells:
        raise NothingMeasuredError("there are no cells to run")
    for workload in dict.fromkeys(cell.workload for cell in cells):
        together = [cell for cell in cells if cell.workload == workload]
        checkpoint = Checkpoint(store.unfinished / workload)
        saved = checkpoint.read()
        if saved:
            _check_asked_for(saved, together, store)
            in_flight = [cell for cell in together if cell.hash in saved.arms]
            together = [cell for cell in together if cell not in in_flight]
            session = Session(in_flight, store, checkpoint, saved, open_training, listener)
            session.run(checkpoint_seconds, stop)
        if together:
            session = Session(together, store, checkpoint, None, open_training, listener)
            session.run(checkpoint_seconds, stop)


def _check_asked_for(saved: Saved, cells: Sequence[Cell], store: Store) -> None:
    """Refuse to go on from a checkpoint with only some of the cells that are in it."""
    left_out = saved.arms.keys() - {cell.hash for cell in cells} - store.statuses().keys()
    if left_out:
        raise UsageError(
            f"{store.path}: {len(left_out)} half-trained cell(s) that take turns with these "
            "are not asked for now: run without --filter to finish them, or start over with --fresh"
        )


def forget(cells: Sequence[Cell], store: Store) -> None:
    """Delete what `store` has of `cells`, checkpoints included."""
    for cell in cells:
        store.delete(cell.hash)
        Checkpoint(store.unfinished / cell.workload).delete()


def backend_opener(datasets: Callable[[Experiment], Dataset]) -> OpenTraining:
    """Return what makes trainings, each on its backend, on the data sets that `datasets` gives."""

    def open_training(experiment: Experiment) -> Training:
        return open_on_backend(experiment, datasets(experiment))

    return open_training
