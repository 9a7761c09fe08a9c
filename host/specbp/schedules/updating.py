"""The update of the weights: on one engine all at once, on two in parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from specbp.arithmetic import Numbers, UpdatePart
from specbp.network import Weights
from specbp.schedules.engines import Engine, work_through
from specbp.schedules.spans import Recorder


class Update(Protocol):
    """What brings the weights from one step to the next, given their gradients.

    Attributes:
        parts: of the update; the same ones for every step.
        numbers: of the step in progress.
    """

    parts: Sequence[UpdatePart]
    numbers: Numbers

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
    gradients: Sequence[Weights],
    engine: Engine,
    recorder: Recorder,
) -> None:
    """Update the weights on the caller's engine and on `engine`."""
    if update is not None:
        tasks = [
            partial(part.do, [gradients[layer] for layer in part.layers], update.numbers)
            for part in update.parts
        ]
        work_through(engine, tasks, lambda number: recorder.span(number, "update"))
