"""Trains what a results folder does not have yet: everything is checked first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from specbp.api.anew import Anew
from specbp.api.screen import Screen
from specbp.backends.overlay.records import FLEET
from specbp.datasets.loading import Dataset
from specbp.errors import NothingMeasuredError, StoppedError, UsageError
from specbp.experiment import Experiment
from specbp.matrix.cluster_choice import ClusterChoice
from specbp.matrix.clusters import connected
from specbp.matrix.expand import Cell
from specbp.matrix.fleet import Fleet, modelled
from specbp.matrix.progress import Listener
from specbp.matrix.run import (
    backend_opener,
    check_cells,
    dataset_reader,
    opener_of_files,
    run_cells,
)
from specbp.matrix.sent_data import HashedData, hashed, send_lacking
from specbp.matrix.session import Stopped
from specbp.matrix.starts import STOPPING, run_in_processes
from specbp.matrix.status import note_asked
from specbp.matrix.store import Store
from specbp.matrix.survey import Runs, forget, forget_matrix, incomparable, survey
from specbp.provenance import ORIGIN, VERSIONS


def train(
    cells: Sequence[Cell],
    results: Path,
    data_root: Path | None,
    retry_failed: bool,
    anew: Anew,
    checkpoint_seconds: float | None,
    screen: Screen,
    matrix: Sequence[Cell] | None = None,
    own_processes: bool = False,
    save_weights: bool = False,
    cluster: ClusterChoice | None = None,
) -> None:
    """Train those of `cells` that the results folder does not have yet.

    All of them are opened before the first step is trained.

    Args:
        cells: cells that are asked for.
        results: the results folder.
        data_root: folder of the data sets.
        retry_failed: train cells that failed again.
        anew: what is deleted first: comparisons that are not whole, or everything asked for.
        checkpoint_seconds: time between checkpoints; None for the default of `run_cells`.
        screen: shows how it goes on.
        matrix: all cells of the matrix they are of; None for a single experiment.
        own_processes: train every comparison in a new process.
        save_weights: keep trained weights; cells that have none there are trained again.
        cluster: the cluster whose workers train; None for this process.

    Raises:
        UsageError: a data set is missing or damaged, a cell cannot be trained, the folder cannot
            be written.
        NothingMeasuredError: there are no cells.
        StoppedError: the user asked for it.
    """
    if not cells:
        raise NothingMeasuredError("no cells: nothing was measured")
    store = Store.create(results, save_weights)
    with store.locked():
        datasets = dataset_reader(data_root)
        if anew is Anew.INCOMPARABLE:
            forget(incomparable(cells, store, retry_failed), store)
        elif anew is Anew.EVERYTHING:
            whole = matrix is not None and len(cells) == len(matrix)
            (forget_matrix if whole else forget)(cells, store)
        changed = partial(_of_changed_data, store=store, datasets=datasets, screen=screen)
        # Workers look themselves whether they can go on from a checkpoint.
        same = VERSIONS if cluster else tuple(ORIGIN)
        there = survey(cells, store, retry_failed, matrix, changed, same)
        for remark in there.remarks:
            screen.note(remark)
        note_asked(cells, store)
        if not there.to_do:
            return
        open_training = backend_opener(datasets)
        on_fleet, on_workers, others = _parts(there.to_do, cluster)
        with screen.working(f"checking {len(there.to_do)} cells"):
            check_cells([*others, *filter(_opens_here, on_workers)], store, open_training)
            check_cells(modelled(on_fleet), store, open_training)
        with (
            screen.progress(len(there.to_do)) as listener,
            _stop_on_signals(screen) as stop,
        ):
            try:
                opener = partial(opener_of_files, data_root)
                if cluster and on_workers:
                    data = hashed([cell.experiment for cell in on_workers], data_root, datasets)
                    _train_on_cluster(
                        cluster, on_workers, store, data, datasets, listener, checkpoint_seconds,
                        stop, own_processes, screen,
                    )  # fmt: skip
                if others and own_processes:
                    run_in_processes(others, store, opener, listener, checkpoint_seconds, stop)
                elif others:
                    run_cells(others, store, open_training, listener, checkpoint_seconds, stop)
                if on_fleet:
                    Fleet(on_fleet, store, opener, listener, checkpoint_seconds, stop).run()
            except (Stopped, KeyboardInterrupt):
                again = ", without --fresh," if anew is Anew.EVERYTHING else ""
                raise StoppedError(
                    f"stopped; what is done is kept in {results}: "
                    f"run the same command again{again} to go on"
                ) from None


def _parts(
    cells: Sequence[Cell], cluster: ClusterChoice | None
) -> tuple[list[Cell], list[Cell], list[Cell]]:
    """Return the cells of fleets, those that workers of a cluster train, and the others."""
    on_fleet, on_workers, others = [], [], []
    for cell in cells:
        record = cell.experiment.backend_record
        if record is FLEET:
            on_fleet.append(cell)
        elif cluster and not record.is_board:
            on_workers.append(cell)
        else:
            others.append(cell)
    return on_fleet, on_workers, others


def _opens_here(cell: Cell) -> bool:
    """Return whether this machine can open what a worker is to train: it may have no GPU."""
    return cell.experiment.backend_record.engine != "stream"


def _train_on_cluster(
    choice: ClusterChoice,
    cells: Sequence[Cell],
    store: Store,
    data: HashedData,
    datasets: Callable[[Experiment], Dataset],
    listener: Listener,
    checkpoint_seconds: float | None,
    stop: Callable[[], bool],
    own_processes: bool,
    screen: Screen,
) -> None:
    """Train cells on the workers of a cluster; see `Cluster`."""
    with connected(choice) as client:
        from specbp.matrix.cluster import Cluster  # which needs Dask

        screen.note(f"to watch: {client.dashboard_link}, or specbp status {store.path}")
        Cluster(
            cells, store, data, listener, client, checkpoint_seconds, stop, own_processes,
            prepare=partial(send_lacking, client, data=data, load=datasets),
        ).run()  # fmt: skip


def _of_changed_data(
    cells: Sequence[Cell],
    runs: Runs,
    store: Store,
    datasets: Callable[[Experiment], Dataset],
    screen: Screen,
) -> list[Cell]:
    """Return those of `cells` that are stored, but were measured on other data than is there now.

    A cell's hash knows the name of its data set only, so that cells can be told apart on a machine
    without the data. Where the data is not there, that is said.

    Args:
        cells: cells that are stored.
        runs: their rows of the frame `runs`, by hash.
        store: the results folder.
        datasets: loads the data set of an experiment.
        screen: is told.
    """
    unknown: dict[str, str] = {}

    def now(experiment: Experiment) -> str | None:
        try:
            return datasets(experiment).sha256
        except UsageError as error:
            unknown.setdefault(experiment.dataset, str(error))
            return None

    changed = [
        cell
        for cell in cells
        if None not in (hashes := {runs[cell.hash]["dataset_sha256"], now(cell.experiment)})
        and len(hashes) > 1
    ]
    for dataset, reason in unknown.items():
        screen.note(f"{store.path}: not checked whether {dataset} is what it was then: {reason}")
    if changed:
        screen.note(
            f"{store.path}: {len(changed)} cells were measured on other data than is there now: "
            "they are measured again"
        )
    return [*changed, *_without_weights(cells, changed, store, screen)]


def _without_weights(
    cells: Sequence[Cell], changed: Sequence[Cell], store: Store, screen: Screen
) -> list[Cell]:
    """Return the cells beside `changed` whose weights are to be kept and were not."""
    if not store.keeps_weights:
        return []
    bare = [
        cell
        for cell in cells
        if cell not in changed and not store.weights_file(cell.hash).is_file()
    ]
    if bare:
        screen.note(
            f"{store.path}: {len(bare)} cells are trained again: their weights were not kept"
        )
    return bare


@contextmanager
def _stop_on_signals(screen: Screen) -> Iterator[Callable[[], bool]]:
    """Turn the first signal to end into a request to stop after the block, and say so.

    The next one stops at once. A signal that is ignored, as hanging up is under nohup, stays so.
    Only the main thread of a program hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False
    signals = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in signals}
    previous = {one: handler for one, handler in handlers.items() if handler != signal.SIG_IGN}

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        restore()
        screen.note_at_once("stopping after this block of steps; Ctrl-C again stops at once")

    def restore() -> None:
        for one, handler in previous.items():
            signal.signal(one, handler)

    for one in previous:
        signal.signal(one, ask)
    try:
        yield lambda: asked
    finally:
        restore()
