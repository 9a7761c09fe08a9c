"""Comparisons trained in processes of their own, so that every start of a process is a measurement.

What a process draws once and keeps, such as where its memory lies, differs from start to start and
not within one. The process that was asked draws the progress and keeps the lock of the results
folder; the one that trains ends with it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from specbp.errors import SpecbpError
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.run import run_cells
from specbp.matrix.session import OpenTraining
from specbp.matrix.store import Store
from specbp.matrix.survey import comparisons, forget_of_other_machine

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""The signals that ask a run to stop."""

SECONDS_BETWEEN_LOOKS = 0.1
"""How often it is asked, while a process trains, whether it should stop."""

_STOP = "stop"
_LOST = 1
"""Exit code of a process whose parent has ended."""

PROCESSES = multiprocessing.get_context("spawn")
"""Begins the processes that train: nothing of this one is in them."""
FORKED = multiprocessing.get_context("forkserver")
"""Begins processes from one that has only imported what trains."""

Opener = Callable[[], OpenTraining]
"""Makes what opens trainings, in the process that trains; can be sent there."""


class InItsProcess(Exception):  # noqa: N818
    """The traceback of an error in the process that trained."""


def run_in_processes(
    cells: Sequence[Cell],
    store: Store,
    opener: Opener,
    listener: Listener,
    checkpoint_seconds: float | None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train `cells` as `run_cells` does, each comparison in a new process.

    Args:
        cells: what to train.
        store: the results folder, locked by the caller.
        opener: makes what opens trainings.
        listener: hears how it goes on.
        checkpoint_seconds: time between checkpoints.
        stop: asked all the time; true ends the run with a checkpoint.

    Raises:
        Stopped: `stop` said so.
        UsageError: what `run_cells` raises.
        SpecbpError: a process ended by itself.
    """
    for together in comparisons(cells).values():
        run_in_process(together, store, opener, listener, checkpoint_seconds, stop)


def run_in_process(
    cells: Sequence[Cell],
    store: Store,
    opener: Opener,
    listener: Listener,
    checkpoint_seconds: float | None,
    stop: Callable[[], bool],
) -> None:
    """Train the cells of one comparison in a new process; see `run_in_processes`."""
    with TrainingProcess(opener) as process:
        request = Request(cells, store.path, checkpoint_seconds, store.keeps_weights)
        process.train(request, listener, stop)


@dataclass(frozen=True)
class Request:
    """A comparison that a process is to train.

    Attributes:
        cells: cells of the comparison.
        results: the results folder.
        checkpoint_seconds: time between checkpoints.
        keeps_weights: keep trained weights beside the frames.
        in_cluster: whether other processes may have begun or done it in the meantime.
    """

    cells: Sequence[Cell]
    results: Path
    checkpoint_seconds: float | None
    keeps_weights: bool = False
    in_cluster: bool = False


class TrainingProcess:
    """A process that trains comparisons, one after the other, for the process that made it.

    Use it as a context manager: it is killed at the end, and whenever its parent ends.

    Args:
        opener: makes what opens trainings, in the new process.
        fresh: start Python anew, so that the start is a measurement; otherwise the process is
            forked from one that has only imported what trains.
    """

    def __init__(self, opener: Opener, fresh: bool = True) -> None:
        context = PROCESSES if fresh else FORKED
        if not fresh:
            FORKED.set_forkserver_preload([__name__])
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener), daemon=True)
        with signals_blocked():
            self._process.start()
        theirs.close()

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def train(self, request: Request, listener: Listener, stop: Callable[[], bool]) -> None:
        """Train a comparison to its end.

        Raises:
            Stopped: `stop` said so.
            UsageError: what `run_cells` raises.
            SpecbpError: the process ended by itself.
        """
        by_hash = {cell.hash: cell for cell in request.cells}
        with suppress(OSError):  # of a process that has ended, which is told below
            self._connection.send(request)
        for what, value in _messages(self._connection, stop):
            if what == "ended":
                return
            if what == "raised":
                error, words = value
                raise error from InItsProcess(words)
            _tell(listener, by_hash, what, value)
        self._process.join()
        raise _ended(self._process.exitcode or 0, request.cells[0])

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def _messages(connection: Connection, stop: Callable[[], bool]) -> Iterator[tuple[str, Any]]:
    """Yield what the process that trains says, until it is gone; tell it when to stop."""
    asked = False
    with suppress(EOFError, ConnectionError):
        while True:
            if not asked and stop():
                asked = True
                connection.send(_STOP)
            if connection.poll(SECONDS_BETWEEN_LOOKS):
                yield connection.recv()


def _ended(code: int, cell: Cell) -> SpecbpError:
    """Return how a process ended that never said so."""
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return SpecbpError(
        f"the process that trained {cell.experiment.dataset}, seed {cell.experiment.seed}, start "
        f"{cell.start} ended {how}: run the same command again: what is done is kept"
    )


def _tell(listener: Listener, cells: Mapping[str, Cell], what: str, value: Any) -> None:
    if what == "began":
        hashes, steps, done = value
        listener.began([cells[one] for one in hashes], steps, done)
    elif what == "advanced":
        listener.advanced(cells[value[0]], value[1])
    else:
        listener.finished(cells[value[0]], value[1])


class _Reporter:
    """A listener that tells the process that was asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        self._connection.send(("began", ([cell.hash for cell in cells], steps, steps_done)))

    def advanced(self, cell: Cell, steps: int) -> None:
        self._connection.send(("advanced", (cell.hash, steps)))

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        self._connection.send(("finished", (cell.hash, dict(run))))


def _serve(connection: Connection, opener: Opener) -> None:
    """Train what the parent asks for, in a process of its own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    open_training: OpenTraining | None = None
    while True:
        request = connection.recv()
        if request == _STOP:  # of a comparison that had just ended
            continue
        try:
            open_training = open_training or opener()
            _train(request, open_training, _Reporter(connection), connection.poll)
        except BaseException as error:
            connection.send(("raised", (_sendable(error), traceback.format_exc())))
        else:
            connection.send(("ended", None))


def _train(
    request: Request, open_training: OpenTraining, listener: Listener, stop: Callable[[], bool]
) -> None:
    """Train a comparison, alone: a process that the parent has lost may not have ended yet."""
    store = Store(request.results, request.keeps_weights)
    with store.locked_comparison(request.cells[0].workload):
        cells = request.cells
        if request.in_cluster:
            cells = [cell for cell in cells if not store.has(cell.hash)]
            forget_of_other_machine(request.cells, store)
        if cells:
            run_cells(cells, store, open_training, listener, request.checkpoint_seconds, stop)


def _sendable(error: BaseException) -> BaseException:
    """Return `error`, or its words where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    """End this process at once when its parent ends: nobody else may write to the results then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(_LOST)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Start a process that no signal to stop reaches: its parent hears them and tells it."""
    if sys.platform == "win32":
        yield
        return
    numbers = [getattr(signal, name) for name in STOPPING]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
