"""What `run` and `bench` share: check everything first, then train what is missing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

from specbp.cli.progress import ProgressDisplay
from specbp.cli.terminal import console, note, note_at_once
from specbp.datasets.loading import Dataset, load
from specbp.errors import NothingMeasuredError, StoppedError, UsageError
from specbp.experiment import Experiment
from specbp.matrix.expand import Cell
from specbp.matrix.run import backend_opener, forget, missing, run_cells
from specbp.matrix.session import OpenTraining, Stopped
from specbp.matrix.store import Store


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
        StoppedError: the user asked for it.
    """
    if not cells:
        raise NothingMeasuredError("no cells: nothing was measured")
    store = Store.create(results)
    with store.locked():
        if fresh:
            forget(cells, store)
        datasets = dataset_reader(data_root)
        due = {cell.hash for cell in missing(cells, store, retry_failed)}
        there = [cell for cell in cells if cell.hash not in due]
        due |= {cell.hash for cell in _of_changed_data(there, store, datasets)}
        to_do = [cell for cell in cells if cell.hash in due]
        if len(to_do) < len(cells):
            done = len(cells) - len(to_do)
            note(
                f"{results}: {done} of {len(cells)} cells are there already "
                "(--fresh measures them again)"
            )
        if not to_do:
            return
        open_training = backend_opener(datasets)
        _check_before_training(to_do, open_training)
        with (
            ProgressDisplay(console(stderr=True), len(to_do)) as display,
            _stop_on_signals() as stop,
        ):
            try:
                run_cells(to_do, store, open_training, display, checkpoint_seconds, stop)
            except (Stopped, KeyboardInterrupt):
                raise StoppedError(
                    f"stopped; what is done is kept in {results}: "
                    "run the same command again to go on"
                ) from None


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


def _of_changed_data(
    cells: Sequence[Cell], store: Store, datasets: Callable[[Experiment], Dataset]
) -> list[Cell]:
    """Return those of `cells` that are stored, but were measured on other data than is there now.

    A cell's hash knows the name of its data set only, so that cells can be told apart on a machine
    without the data. Where the data is not there, that is said.

    Args:
        cells: that are stored.
        store: the results folder.
        datasets: loads the data set of an experiment.
    """
    unknown: dict[str, str] = {}

    def now(experiment: Experiment) -> str | None:
        try:
            return datasets(experiment).sha256
        except UsageError as error:
            unknown.setdefault(experiment.dataset, str(error))
            return None

    stored = store.column("dataset_sha256") if cells else {}
    changed = [
        cell
        for cell in cells
        if None not in (hashes := {stored[cell.hash], now(cell.experiment)}) and len(hashes) > 1
    ]
    for dataset, reason in unknown.items():
        note(f"{store.path}: not checked whether {dataset} is what it was then: {reason}")
    if changed:
        note(
            f"{store.path}: {len(changed)} cells were measured on other data than is there now: "
            "they are measured again"
        )
    return changed


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
def _stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn the first signal to end into a request to stop after the block, and say so.

    The next one stops at once.
    """
    asked = False
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        restore()
        note_at_once("stopping after this block of steps; Ctrl-C again stops at once")

    def restore() -> None:
        for one, handler in previous.items():
            signal.signal(one, handler)

    for one in previous:
        signal.signal(one, ask)
    try:
        yield lambda: asked
    finally:
        restore()
