"""What `run` and `bench` share: check everything first, then train what is missing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console

from specbp.cli.progress import ProgressDisplay
from specbp.datasets.loading import Dataset, load
from specbp.errors import NothingMeasuredError
from specbp.experiment import Experiment
from specbp.matrix.expand import Cell
from specbp.matrix.run import backend_opener, forget, missing, run_cells
from specbp.matrix.session import OpenTraining, Stopped
from specbp.matrix.store import Store

INTERRUPTED = 130
"""Exit code after Ctrl-C, by convention 128 + SIGINT."""


def train(
    cells: Sequence[Cell],
    results: Path,
    data_root: Path | None,
    retry_failed: bool,
    fresh: bool,
    checkpoint_seconds: float,
) -> None:
    """Train those of `cells` that the results folder does not have yet.

    Data sets and models are checked before the first step is trained.

    Raises:
        UsageError: a data set is missing or damaged, a model does not fit it, the folder cannot
            be written.
        NothingMeasuredError: there are no cells.
    """
    if not cells:
        raise NothingMeasuredError("no cells: nothing was measured")
    console = Console(stderr=True)
    store = Store.create(results)
    with store.locked():
        if fresh:
            forget(cells, store)
        to_do = missing(cells, store, retry_failed)
        if len(to_do) < len(cells):
            done = len(cells) - len(to_do)
            console.print(
                f"{results}: {done} of {len(cells)} cells are there already "
                "(--fresh measures them again)",
                soft_wrap=True,
            )
        if not to_do:
            return
        open_training = backend_opener(dataset_reader(data_root))
        _check_before_training(to_do, open_training)
        with ProgressDisplay(console, len(to_do)) as display, _stop_on_interrupt(console) as stop:
            try:
                run_cells(to_do, store, open_training, display, checkpoint_seconds, stop)
            except Stopped:
                console.print(
                    f"stopped; what is done is kept in {results}: "
                    "run the same command again to go on",
                    soft_wrap=True,
                )
                raise typer.Exit(INTERRUPTED) from None


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


def _check_before_training(cells: Sequence[Cell], open_training: OpenTraining) -> None:
    """Load each data set and build each model once, so that bad ones fail before any work."""
    checked = set()
    for cell in cells:
        experiment = cell.experiment
        combination = (experiment.dataset, experiment.train, experiment.test,
                       experiment.subset_seed, experiment.held_out, experiment.model,
                       experiment.batch_size, experiment.backend, experiment.lanes)  # fmt: skip
        if combination not in checked:
            open_training(experiment).close()
            checked.add(combination)


@contextmanager
def _stop_on_interrupt(console: Console) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop after the block, and say so; the next kills."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, previous)
        console.print("stopping after this block of steps; Ctrl-C again stops at once")

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, previous)
