"""A session: the arms of one comparison, trained in turns, block by block.

Noise of the machine then meets all arms alike. Which arm goes first changes from round to round,
by a draw that depends on the workload only.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from specbp.backends import Training
from specbp.datasets.catalog import describe
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.frames import table
from specbp.matrix.arm import Arm
from specbp.matrix.checkpoint import Checkpoint, Saved
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.store import Store
from specbp.provenance import provenance

OpenTraining = Callable[[Experiment], Training]

WARM_UP_STEPS = 3
"""Steps an arm takes on a copy thrown away: libraries set themselves up in the first ones."""


class Stopped(Exception):  # noqa: N818
    """The user asked to stop; all that was done is in the checkpoint."""


class Session:
    """Cells of one workload, trained in turns from start to end.

    Args:
        cells: of equal workload.
        store: where finished cells go.
        checkpoint: where cells in flight are saved.
        saved: what to go on from; None to begin.
        open_training: makes the training of an experiment.
        listener: hears how it goes on.
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
        self._store = store
        self._checkpoint = checkpoint
        self._open_training = open_training
        self._listener = listener
        self._saved_at = time.monotonic()
        self._saved = saved or Saved(uuid4().hex[:12], _now(), 0, {})
        self._round = self._saved.round
        self._arms: list[Arm] = []
        for cell in cells:
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
            copy = self._open_training(cell.experiment)
            copy.advance(min(WARM_UP_STEPS, copy.steps_per_epoch))
            copy.close()
            arm = Arm(cell, self._open_training(cell.experiment))
            if cell.hash in self._saved.arms:
                arm.restore(self._saved.arms[cell.hash])
            self._arms.append(arm)
        except UsageError:
            raise
        except Exception as error:
            self._store_failed(cell, error)

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
        draw = random.Random(f"{self._arms[0].cell.workload} {self._round}")
        for arm in draw.sample(self._arms, len(self._arms)):
            per_epoch = arm.training.steps_per_epoch
            left_in_epoch = per_epoch - arm.training.step % per_epoch
            steps = min(arm.cell.experiment.block_steps, left_in_epoch)
            try:
                arm.advance(steps, self._round)
            except Exception as error:
                arm.training.close()
                self._arms.remove(arm)
                self._store_failed(arm.cell, error)
            else:
                self._listener.advanced(arm.cell, steps)
        self._round += 1

    def _save(self) -> None:
        arms = {arm.cell.hash: arm.state() for arm in self._arms}
        saved = Saved(self._saved.session, self._saved.started, self._round, arms)
        self._checkpoint.write(saved, {arm.cell.hash: arm.unsaved_steps for arm in self._arms})
        for arm in self._arms:
            arm.unsaved_steps = []
        self._saved_at = time.monotonic()

    def _finish(self) -> None:
        steps = {arm.cell.hash: self._checkpoint.steps(arm.cell.hash) for arm in self._arms}
        for arm in self._arms:
            own = steps[arm.cell.hash]
            baseline = next((one for one in self._arms if _is_baseline(one.cell, arm.cell)), arm)
            measured = arm.run_row(own, steps[baseline.cell.hash])
            run = self._run_row(arm.cell) | measured | {"status": "ok"}
            self._store.write(run, arm.epochs, own)
            arm.training.close()
            self._listener.finished(arm.cell, run)
        self._checkpoint.delete()

    def _store_failed(self, cell: Cell, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        run = self._run_row(cell) | {"status": "failed", "reason": reason}
        details = "".join(traceback.format_exception(error))
        self._store.write(run, [], table("steps", []), details)
        self._listener.finished(cell, run)

    def _run_row(self, cell: Cell) -> dict[str, Any]:
        """Return the columns of `runs` that are known from the start."""
        return {
            "cell": cell.hash,
            "matrix": cell.matrix,
            "arm": cell.experiment.arm,
            "repeat": cell.repeat,
            **cell.experiment.model_dump(),
            **asdict(cell.identity),
            "synthetic": describe(cell.experiment.dataset).synthetic,
            "session": self._saved.session,
            "started": self._saved.started,
            **provenance(),
        }


def _is_baseline(cell: Cell, of: Cell) -> bool:
    """Return whether the passes of `cell` are those of `of`, alone on one engine."""
    one, other = cell.experiment, of.experiment
    backend = "cpu" if other.on_overlay else other.backend
    return (one.backend, one.schedule, one.engines, one.threads) == (backend, "sequential", 1, 1)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
