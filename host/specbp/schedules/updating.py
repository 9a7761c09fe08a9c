"""The update of the weights: on one engine all at once, on two in tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from specbp.arithmetic import UpdateTask
from specbp.network import Layer, Network, Weights
from specbp.schedules.engines import Engine, work_through
from specbp.schedules.spans import Recorder


class Update(Protocol):
    """What brings the weights from one step to the next, given their gradients."""

    def tasks(self, layer: Layer, gradients: Weights) -> Sequence[UpdateTask]:
        """Return the update of one layer as tasks that do not depend on one another."""
        ...

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        ...


def own_update(update: Update | None, gradients: Sequence[Weights], recorder: Recorder) -> None:
    """Update the weights on the caller's engine alone."""
    if update is not None:
        with recorder.span(0, "update"):
            update.whole(gradients)


def shared_update(
    update: Update | None,
    network: Network,
    gradients: Sequence[Weights],
    engine: Engine,
    recorder: Recorder,
) -> None:
    """Update the weights on the caller's engine and on `engine`."""
    if update is not None:
        tasks = [
            task
            for layer, pair in zip(network.trained, gradients, strict=True)
            for task in update.tasks(layer, pair)
        ]
        work_through(engine, tasks, lambda number: recorder.span(number, "update"))
