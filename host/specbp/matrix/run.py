"""Runs the cells of a matrix that are missing from a results folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from specbp.backends import Training
from specbp.backends.opening import open_training as open_on_backend
from specbp.datasets.loading import Dataset, load
from specbp.errors import NothingMeasuredError
from specbp.experiment import Experiment
from specbp.matrix.arm import Arm
from specbp.matrix.checkpoint import Checkpoint
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.session import OpenTraining, Session, restore
from specbp.matrix.store import Store
from specbp.matrix.survey import comparisons, require_resumable

CHECKPOINT_SECONDS = 30.0
BOARD_CHECKPOINT_SECONDS = 3.0
"""On a board, which may be gone at any moment: its cable, its power, its network."""


def check_cells(cells: Sequence[Cell], store: Store, open_training: OpenTraining) -> None:
    """Open the training of every cell once, where it was left, and train nothing.

    Raises:
        UsageError: a cell cannot be trained, or not from its checkpoint.
    """
    opened: set[Experiment] = set()
    for workload, together in comparisons(cells).items():
        saved = Checkpoint(store.unfinished / workload).read()
        for cell in together:
            begun = saved is not None and cell.hash in saved.arms
            if cell.experiment in opened and not begun:
                continue  # another start of it
            opened.add(cell.experiment)
            training = open_training(cell.experiment)
            try:
                if saved and begun:
                    restore(Arm(cell, training), saved.arms[cell.hash], store)
            finally:
                training.close()


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    open_training: OpenTraining,
    listener: Listener,
    checkpoint_seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train `cells` and store them; those with equal workloads are trained in turns.

    Cells in flight when the process last ended go on from their checkpoint.

    Args:
        cells: what to train.
        store: the results folder, locked by the caller.
        open_training: makes the training of an experiment.
        listener: hears how it goes on.
        checkpoint_seconds: time between checkpoints; if None, 30 s, or 3 s where a board trains.
        stop: asked between blocks; true ends the run with a checkpoint.

    Raises:
        Stopped: `stop` said so.
        UsageError: cells that take turns would not do equal work, or cannot go on from where they
            were left.
        NothingMeasuredError: there are no cells.
    """
    if not cells:
        raise NothingMeasuredError("there are no cells to run")
    require_resumable(cells, store)
    for workload, together in comparisons(cells).items():
        checkpoint = Checkpoint(store.unfinished / workload)
        saved = checkpoint.read()
        in_flight = [cell for cell in together if saved and cell.hash in saved.cells]
        others = [cell for cell in together if cell not in in_flight]
        for turns, start in ((in_flight, saved), (others, None)):
            if turns:
                session = Session(turns, store, checkpoint, start, open_training, listener)
                seconds = checkpoint_seconds
                session.run(_usual_seconds(turns) if seconds is None else seconds, stop)


def _usual_seconds(cells: Sequence[Cell]) -> float:
    on_a_board = any(cell.experiment.backend_record.is_board for cell in cells)
    return BOARD_CHECKPOINT_SECONDS if on_a_board else CHECKPOINT_SECONDS


def backend_opener(datasets: Callable[[Experiment], Dataset]) -> OpenTraining:
    """Return what makes trainings, each on its backend, on the data sets that `datasets` gives."""

    def open_training(experiment: Experiment) -> Training:
        return open_on_backend(experiment, datasets(experiment))

    return open_training


def opener_of_files(data_root: Path | None) -> OpenTraining:
    """Return what makes trainings on the data sets in a folder, each loaded once."""
    return backend_opener(dataset_reader(data_root))


def dataset_reader(data_root: Path | None) -> Callable[[Experiment], Dataset]:
    """Return what loads the data set of an experiment, each once."""

    @cache
    def read(
        name: str, train: int | None, test: int | None, subset_seed: int, held_out: int | None
    ) -> Dataset:
        return load(
            name,
            data_root=data_root,
            train=train,
            test=test,
            subset_seed=subset_seed,
            held_out=held_out,
        )

    def dataset(experiment: Experiment) -> Dataset:
        return read(
            experiment.dataset,
            experiment.train,
            experiment.test,
            experiment.subset_seed,
            experiment.held_out,
        )

    return dataset
