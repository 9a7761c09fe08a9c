"""Comparisons on the workers of a Dask cluster.

A comparison stays on one worker. Where times are to be compared, a machine trains one comparison at
a time, however many workers it has. A worker that is lost does not stop the others: another one
goes on from its checkpoint, or begins again where it does not see the results folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from distributed import Client, Future

from specbp import durable
from specbp.backends.overlay.records import RTL
from specbp.counting import count
from specbp.errors import SpecbpError, UsageError
from specbp.matrix import worker
from specbp.matrix.dispatch import Dispatcher, OneAtATime, Work
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.session import Stopped, described
from specbp.matrix.starts import Opener
from specbp.matrix.store import FinishedCell, Store
from specbp.matrix.survey import comparisons, forget
from specbp.provenance import VERSIONS, difference, provenance

LOOK_S = 1.0
"""Time between looks at which workers there are."""
SCHEDULER_PATIENCE_S = 20.0
"""A scheduler that does not answer for so long is lost."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Needs:
    """What a comparison needs of a worker.

    Attributes:
        cores: processor cores.
        gpus: GPUs.
        simulates: whether the overlay's hardware is simulated.
    """

    cores: int
    gpus: int
    simulates: bool

    def missing(self, offer: worker.Offer) -> list[str]:
        """Return what a worker lacks, in words."""
        lacks = []
        if offer.cores < self.cores:
            lacks.append(f"{self.cores} cores")
        if offer.gpus < self.gpus:
            lacks.append(count(self.gpus, "GPU"))
        if self.simulates and not offer.simulates:
            lacks.append("Verilator")
        return lacks


def needs_of(cells: Sequence[Cell]) -> Needs:
    """Return what the cells of a comparison need of a worker."""
    cores, gpus, simulates = 1, 0, False
    for cell in cells:
        experiment, record = cell.experiment, cell.experiment.backend_record
        if record.engine == "thread":
            cores = max(cores, experiment.engines * experiment.threads)
        elif record.engine == "stream":
            gpus = max(gpus, int(experiment.backend.partition(":")[2] or 0) + 1)
        simulates = simulates or record is RTL
    return Needs(cores, gpus, simulates)


class Cluster:
    """Workers of a Dask cluster at work.

    Args:
        cells: cells to train; rows that the results folder has of them are deleted.
        store: the results folder, locked by the caller.
        opener: makes what opens trainings; it is sent to the workers.
        listener: hears how it goes on.
        client: connection to the cluster's scheduler.
        checkpoint_seconds: time between checkpoints.
        stop: asked all the time; true ends the run with checkpoints.
        own_processes: train every comparison in a new process.
        prepare: called with the address of each worker before it is used.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        store: Store,
        opener: Opener,
        listener: Listener,
        client: Client,
        checkpoint_seconds: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        own_processes: bool = False,
        prepare: Callable[[str], None] = lambda address: None,
    ) -> None:
        self.run_name = uuid4().hex[:12]
        self.store, self.opener, self.client = store, opener, client
        self.listener = OneAtATime(listener)
        self.checkpoint_seconds, self.own_processes = checkpoint_seconds, own_processes
        self._cells, self._prepare = cells, prepare
        self._timed = any(cell.timed for cell in cells)
        self._work = [Work(together) for together in comparisons(cells).values()]
        self.dispatcher = Dispatcher(self._work, stop, patience_s=0.0)
        self.present: set[str] = set()
        self._refused: set[str] = set()
        self._offers: dict[str, worker.Offer] = {}
        self._answered = time.monotonic()

    def run(self) -> None:
        """Train everything.

        Raises:
            Stopped: `stop` said so.
            UsageError: no worker can be used, or a comparison cannot be trained.
            SpecbpError: the scheduler is lost.
        """
        for cell in self._cells:
            self.store.delete(cell.hash)
        durable.write(self.store.path / worker.TOKEN, self.run_name.encode())
        topic = worker.topic_of(self.run_name)
        self.client.subscribe_topic(topic, self._hear)
        try:
            self._look(first=True)
            while not self.dispatcher.wait(LOOK_S):
                self._look()
                self._skip_what_nobody_offers()
                if self.dispatcher.is_stopping() and not self.dispatcher.names:
                    raise Stopped
        finally:
            self._end(topic)

    def fits(self, address: str, work: Work) -> bool:
        """Return whether a worker has what a comparison needs."""
        return not needs_of(work.cells).missing(self._offers[address])

    def machine_of(self, address: str) -> str:
        """Return what a worker shares with others of which one trains at a time."""
        return self._offers[address].machine if self._timed else address

    def sees_results(self, address: str) -> bool:
        """Return whether a worker sees the results folder."""
        return self._offers[address].sees_results

    def _look(self, first: bool = False) -> None:
        """See which workers there are, and let new ones train."""
        self.present = self._addresses()
        if new := sorted(self.present - self._offers.keys() - self._refused):
            self._meet(new, first)
        waiting = self.dispatcher.waiting
        for address in sorted(self.present & self._offers.keys() - self.dispatcher.names):
            place = _WorkerAtWork(address, self)
            if any(address not in work.refused and place.can_train(work) for work in waiting):
                self.dispatcher.add(place)

    def _addresses(self) -> set[str]:
        """Return the addresses of all workers.

        Raises:
            SpecbpError: the scheduler does not answer.
        """
        try:
            found = set(self.client.nthreads(callback_timeout=SCHEDULER_PATIENCE_S))
        except (OSError, TimeoutError, AttributeError, CancelledError) as error:
            if (
                self.client.status in ("running", "connecting")
                and time.monotonic() - self._answered < SCHEDULER_PATIENCE_S
            ):
                return self.present
            raise SpecbpError(
                f"the scheduler of the cluster is lost ({type(error).__name__}): start it, and run "
                "the same command again: what is done is kept"
            ) from error
        self._answered = time.monotonic()
        return found

    def _meet(self, addresses: Sequence[str], first: bool) -> None:
        """Ask workers what they offer, and prepare them.

        Raises:
            UsageError: one of the first has other versions than this process.
        """
        answers = self.client.run(
            worker.offer, self.run_name, self.store.path.resolve(),
            workers=list(addresses), on_error="return",
        )  # fmt: skip
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                _log.info("%s is gone already: %s", address, answer)
            elif reason := _unusable(answer):
                words = f"the worker {address} cannot be used: {reason}: install the same there"
                if first:
                    raise UsageError(words)
                _log.warning("%s", words)
                self._refused.add(address)
            else:
                self._prepare(address)
                self._offers[address] = answer

    def _skip_what_nobody_offers(self) -> None:
        """Store cells that no worker can train as skipped, once nothing else is trained."""
        offers = [self._offers[one] for one in self.present & self._offers.keys()]
        if not offers or not self.dispatcher.is_idle:
            return
        for work in self.dispatcher.waiting:
            needs = needs_of(work.cells)
            lacks = [needs.missing(offer) for offer in offers]
            if all(lacks) and self.dispatcher.withdraw(work):
                fewest = min(lacks, key=lambda one: len(one))
                words = " and ".join(fewest)
                self.end(work, "skipped", f"no worker of the cluster offers {words}")

    def end(self, work: Work, status: str, reason: str) -> None:
        """Store the cells of a comparison that is not trained.

        Args:
            work: the comparison.
            status: column `status` of its rows.
            reason: why it is not trained.
        """
        about = {"status": status, "reason": reason, **provenance()}
        rows = [described(cell) | about for cell in work.cells]
        self.store.write(work.cells[0].workload, [FinishedCell(row) for row in rows])
        self.tell_finished(work)

    def tell_finished(self, work: Work) -> None:
        """Tell the listener what was stored of a comparison."""
        for cell in work.cells:
            row = self.store.run_row(cell.hash)
            if row is not None:
                self.listener.finished(cell, row)

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Tell the listener what a worker says."""
        by_hash = {cell.hash: cell for cell in self._cells}
        message = event[1]
        if "began" in message:
            cells = [by_hash[one] for one in message["began"]]
            self.listener.began(cells, message["steps"], message["done"])
        for cell, steps in message.get("advanced", {}).items():
            self.listener.advanced(by_hash[cell], steps)

    def _end(self, topic: str) -> None:
        try:
            self.client.unsubscribe_topic(topic)
            if self.client.status == "running":
                self.client.run(worker.release, self.run_name, on_error="ignore")
        except (OSError, TimeoutError, ValueError) as error:
            _log.info("the cluster is gone: %s", error)


def _unusable(answer: worker.Offer | Exception) -> str:
    """Return why a worker cannot be used, nothing where it can.

    Args:
        answer: what it offers, or why it cannot say it.
    """
    if isinstance(answer, Exception):
        return f"it cannot say what it offers ({type(answer).__name__}: {answer})"
    other = difference(answer.origin, VERSIONS)
    return f"it has {other.replace('(now', '(here')}" if other else ""


def _drop(future: Future[worker.Outcome]) -> None:
    """Tell the scheduler that nobody waits for a task any more."""
    with suppress(OSError, TimeoutError, CancelledError, RuntimeError):
        future.cancel()


class _WorkerAtWork:
    """A worker as a place of a dispatcher."""

    def __init__(self, address: str, cluster: Cluster) -> None:
        self.name, self._cluster = address, cluster
        self.machine = cluster.machine_of(address)

    def can_train(self, work: Work) -> bool:
        """Return whether the worker has what a comparison needs."""
        return self._cluster.fits(self.name, work)

    def train(self, work: Work) -> str:
        """Train a comparison; return why the worker was lost with it, or nothing."""
        cluster, client = self._cluster, self._cluster.client
        unfinished = cluster.store.unfinished / work.cells[0].workload
        shares = cluster.sees_results(self.name)
        task = worker.Task(
            cluster.run_name,
            work.cells,
            cluster.store.path.resolve(),
            cluster.opener,
            cluster.checkpoint_seconds,
            cluster.own_processes,
            cluster.store.keeps_weights,
            {} if shares else worker.read_files(unfinished),
        )
        future = client.submit(
            worker.train, task, workers=[self.name], allow_other_workers=False, pure=False
        )
        try:
            reason = self._await(future)
            if reason:
                return reason
            outcome = future.result()
        except UsageError:
            raise
        except Exception as error:
            return f"{self.name}: {type(error).__name__}: {error}".splitlines()[0]
        finally:
            _drop(future)
        if outcome.stopped:
            worker.write_files(unfinished, outcome.checkpoint)
            if cluster.dispatcher.is_stopping():
                raise Stopped
            return f"{self.name} was about to end"
        if outcome.cells:
            cluster.store.write_files(work.cells[0].workload, outcome.cells)
        cluster.tell_finished(work)
        return ""

    def forget(self, work: Work) -> None:
        """Keep the checkpoint: the next worker goes on from it."""

    def give_up(self, work: Work) -> None:
        """Store the cells as failed."""
        forget(work.cells, self._cluster.store)
        reason = f"{work.tries} workers were lost with it, the last one: {work.reason}"
        self._cluster.end(work, "failed", reason)

    def answers(self) -> bool:
        """Return whether the worker is there."""
        return self.name in self._cluster.present

    def _await(self, future: Future[worker.Outcome]) -> str:
        """Wait for the end of a task; return why it will not come, or nothing."""
        told = False
        while not future.done():
            with suppress(TimeoutError):
                future.exception(timeout=LOOK_S / 2)
                break
            if self.name not in self._cluster.present:
                return f"{self.name} is gone"
            if self._cluster.dispatcher.is_stopping() and not told:
                told = True
                self._cluster.client.run(
                    worker.stop, self._cluster.run_name, workers=[self.name], on_error="ignore"
                )
        return ""
