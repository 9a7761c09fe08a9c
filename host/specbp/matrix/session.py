"""A session: the arms of one comparison, trained in turns, block by block, and stored together.

Noise of the machine then meets all arms alike. Which arm goes first changes from round to round,
see `specbp.matrix.turns`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pyarrow as pa

from specbp.backends import Training
from specbp.datasets.catalog import describe
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.matrix.arm import Arm
from specbp.matrix.checkpoint import FROM_THE_START, Checkpoint, Failure, Saved, steps_by_cell
from specbp.matrix.expand import Cell
from specbp.matrix.memory import peak_mib
from specbp.matrix.progress import Listener
from specbp.matrix.store import FinishedCell, Store
from specbp.matrix.turns import turn_order
from specbp.provenance import origin, process_name, provenance

OpenTraining = Callable[[Experiment], Training]

WARM_UP_STEPS = 3
"""Steps an arm takes on a copy thrown away: libraries set themselves up in the first ones."""


class Stopped(Exception):  # noqa: N818
    """The user asked to stop; all that was done is in the checkpoint."""


class Session:
    """Cells of one workload, trained in turns from start to end.

    Nothing of a session is stored before all of it is done: what its arms are compared with does
    not depend on where it was stopped.

    Args:
        cells: cells of equal workload; with `saved`, those that are in it.
        store: where finished cells go.
        checkpoint: where cells in flight are saved.
        saved: what to go on from; None to begin.
        open_training: makes the training of an experiment.
        listener: hears how it goes on.

    Raises:
        UsageError: `saved` does not fit its cells.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        store: Store,
        checkpoint: Checkpoint,
        saved: Saved | None,
        open_training: OpenTraining,
        listener: Listener,
    ) -> None:
        self._cells = cells
        self._store = store
        self._checkpoint = checkpoint
        self._open_training = open_training
        self._listener = listener
        self._saved_at = time.monotonic()
        self._saved = saved or Saved(
            uuid4().hex[:12], _now(), 0, cells[0].matrix, origin(), process_name()
        )
        self._round = self._saved.round
        self._arms: list[Arm] = []
        self._failures: dict[str, Failure] = dict(self._saved.failures)
        self._set_up_libraries()
        for cell in cells:
            if cell.hash in self._failures:
                self._tell_failed(cell)
            else:
                self._open(cell)

    def run(self, checkpoint_seconds: float, stop: Callable[[], bool]) -> None:
        """Train all arms to their end and store them.

        Args:
            checkpoint_seconds: time between checkpoints.
            stop: asked after each round; true leaves a checkpoint and ends.

        Raises:
            Stopped: `stop` said so.
            UsageError: the arms do not start from equal weights or in equal order.
        """
        self._check_equal_work()
        if self._arms:
            self._listener.began(
                [arm.cell for arm in self._arms],
                sum(arm.total_steps for arm in self._arms),
                sum(arm.training.step for arm in self._arms),
            )
        while any(arm.training.step < arm.total_steps for arm in self._arms):
            self._take_turns()
            if stop():
                self._save()
                raise Stopped
            if time.monotonic() - self._saved_at >= checkpoint_seconds:
                self._save()
        self._save()
        self._finish()

    def _open(self, cell: Cell) -> None:
        try:
            peak = None
            if _is_in_main_memory(cell):
                peak = peak_mib(lambda: self._warm_up(cell.experiment))
            else:
                self._warm_up(cell.experiment)
            arm = Arm(cell, self._open_training(cell.experiment), peak)
        except UsageError:
            raise
        except Exception as error:
            self._fail(cell, error)
            return
        if cell.hash in self._saved.arms:
            restore(arm, self._saved.arms[cell.hash], self._store)
        self._arms.append(arm)

    def _set_up_libraries(self) -> None:
        """Warm up once before any memory is counted: data and libraries are loaded with that."""
        for cell in self._cells:
            if cell.hash not in self._failures and _is_in_main_memory(cell):
                with suppress(Exception):  # it is met again, and told, when the cell is opened
                    self._warm_up(cell.experiment)
                return

    def _warm_up(self, experiment: Experiment) -> None:
        """Train a copy for a few steps and throw it away."""
        copy = self._open_training(experiment)
        copy.advance(min(WARM_UP_STEPS, copy.steps_per_epoch))
        copy.close()

    def _check_equal_work(self) -> None:
        for what in ("initial_weights_sha256", "sample_order_sha256", "dataset_sha256"):
            first = self._arms[:1]
            for arm in self._arms:
                if getattr(arm.training, what) != getattr(first[0].training, what):
                    raise UsageError(
                        f'the arms "{first[0].cell.experiment.arm}" and '
                        f'"{arm.cell.experiment.arm}" differ in {what}: '
                        "they do not do equal work, so they cannot be compared"
                    )

    def _take_turns(self) -> None:
        """Train one block of every arm."""
        order = turn_order(len(self._arms), self._arms[0].cell.workload, self._round)
        for arm in [self._arms[number] for number in order]:
            per_epoch = arm.training.steps_per_epoch
            left_in_epoch = per_epoch - arm.training.step % per_epoch
            steps = min(arm.cell.experiment.block_steps, left_in_epoch)
            try:
                arm.advance(steps, self._round)
            except Exception as error:
                arm.training.close()
                self._arms.remove(arm)
                self._fail(arm.cell, error)
            else:
                self._listener.advanced(arm.cell, steps)
        self._round += 1

    def _fail(self, cell: Cell, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        details = "".join(traceback.format_exception(error))
        self._failures[cell.hash] = Failure(reason, details)
        self._tell_failed(cell)

    def _tell_failed(self, cell: Cell) -> None:
        self._listener.finished(cell, self._failed(cell).run)

    def _failed(self, cell: Cell) -> FinishedCell:
        failure = self._failures[cell.hash]
        run = self._run_row(cell) | {"status": "failed", "reason": failure.reason}
        return FinishedCell(run, traceback=failure.traceback)

    def _save(self) -> None:
        saved = replace(
            self._saved,
            round=self._round,
            arms={arm.cell.hash: arm.state() for arm in self._arms},
            failures=self._failures,
        )
        self._checkpoint.write(saved, [row for arm in self._arms for row in arm.unsaved_steps])
        for arm in self._arms:
            arm.unsaved_steps = []
        self._saved_at = time.monotonic()

    def _finish(self) -> None:
        """Store all cells at once."""
        steps = steps_by_cell(self._checkpoint.steps())
        finished = [self._finished(arm, steps) for arm in self._arms]
        failed = [self._failed(cell) for cell in self._cells if cell.hash in self._failures]
        self._store.write(self._cells[0].workload, [*finished, *failed])
        for arm, cell in zip(self._arms, finished, strict=True):
            arm.training.close()
            self._listener.finished(arm.cell, cell.run)

    def _finished(self, arm: Arm, steps: Mapping[str, pa.Table]) -> FinishedCell:
        own = steps[arm.cell.hash]
        baseline = next((one for one in self._arms if _is_baseline(one.cell, arm.cell)), arm)
        measured = arm.run_row(own, steps[baseline.cell.hash])
        run = self._run_row(arm.cell) | measured | {"status": "ok"}
        weights = None
        if self._store.keeps_weights:
            about = {name: run[name] for name in ("cell", "dataset", "model", "arm", "seed")}
            weights = arm.training.saved_weights(about).content
        return FinishedCell(run, arm.epochs, own, weights)

    def _run_row(self, cell: Cell) -> dict[str, Any]:
        """Return the columns of `runs` that are known from the start."""
        return described(cell) | {
            "session": self._saved.session if cell.timed else None,
            "process": self._saved.process,
            "started": self._saved.started,
            **provenance(),
        }


def described(cell: Cell) -> dict[str, Any]:
    """Return the columns of `runs` that say what a cell is, whoever trains it."""
    return {
        "cell": cell.hash,
        "matrix": cell.matrix,
        "arm": cell.experiment.arm,
        "repeat": cell.repeat,
        "start": cell.start,
        **cell.experiment.model_dump(),
        **asdict(cell.identity),
        "synthetic": describe(cell.experiment.dataset).synthetic,
    }


def restore(arm: Arm, state: Mapping[str, Any], store: Store) -> None:
    """Bring an arm to where it was saved.

    Raises:
        UsageError: `state` is not of this arm.
    """
    try:
        arm.restore(state)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UsageError(
            f"{store.unfinished / arm.cell.workload}: damaged: its state does not fit the cell "
            f"{arm.cell.hash} ({type(error).__name__}: {error}): {FROM_THE_START}"
        ) from error


def _is_baseline(cell: Cell, of: Cell) -> bool:
    """Return whether the passes of `cell` are those of `of`, alone on one engine."""
    one, other = cell.experiment, of.experiment
    backend = "cpu" if other.on_overlay else other.backend
    return (one.backend, one.schedule, one.engines, one.threads) == (backend, "sequential", 1, 1)


def _is_in_main_memory(cell: Cell) -> bool:
    """Return whether what a cell trains lies in the memory of this process."""
    return cell.experiment.backend_record.engine == "thread"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
