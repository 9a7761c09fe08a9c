"""Trains the arms of one comparison in turns, block by block, so that noise meets them alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from specbp.backends import Training
from specbp.experiment import Experiment
from specbp.matrix.checkpoint import Checkpoint
from specbp.matrix.expand import Cell
from specbp.matrix.store import Store

OpenTraining = Callable[[Experiment], Training]

WARM_UP_STEPS = 3
"""Steps an arm takes before its training, thrown away: libraries set themselves up in them."""


class Stopped(Exception):  # noqa: N818
    """The user asked to stop; what was done is in the checkpoint."""


class Listener(Protocol):
    """Hears how the training goes on."""

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        """Training of `cells` begins; it takes `steps` in all, of which some may be done."""
        ...

    def advanced(self, cell: Cell, steps: int) -> None:
        """A cell has done `steps` more steps."""
        ...

    def finished(self, cell: Cell, run: dict[str, Any]) -> None:
        """A cell is on disk: this is its row of the frame `runs`."""
        ...


@dataclass
class Arm:
    """One cell in training."""

    cell: Cell
    training: Training
    epochs: list[dict[str, Any]] = field(default_factory=list)
    epoch_steps: list[dict[str, Any]] = field(default_factory=list)
    unsaved_steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.training.steps_per_epoch * self.cell.experiment.epochs


class Session:
    """The cells of one workload, trained in turns from start to end.

    Args:
        cells: with equal workloads; their arms differ.
        store: where finished cells go.
        open_training: makes the training of an experiment.
        listener: hears how it goes on.
        checkpoint_seconds: time between checkpoints.
        stop: asked between blocks; true ends the session after a checkpoint.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        store: Store,
        open_training: OpenTraining,
        listener: Listener,
        checkpoint_seconds: float,
        stop: Callable[[], bool],
    ) -> None:
        self._store = store
        self._open_training = open_training
        self._listener = listener
        self._checkpoint_seconds = checkpoint_seconds
        self._stop = stop
        self._checkpoint = Checkpoint(store.unfinished / cells[0].workload)
