"""The update of the weights: on one engine all at once, on two in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.float32 import PlainPart
from specbp.network import Weights
from specbp.schedules.engines import Engine, work_through
from specbp.schedules.spans import Recorder


@dataclass(frozen=True)
class Numbers:
    """The numbers of one step.

    Attributes:
        rule: of the update.
        distance: how far the forward of the next step looks ahead, in momenta.
    """

    rule: UpdateRule
    distance: float


class Part(NamedTuple):
    """A part of an update that does not depend on its other parts.

    Attributes:
        layers: whose gradients it needs, as positions among the layers with weights.
        do: does it, given these gradients.
    """

    layers: tuple[int, ...]
    do: Callable[[Sequence[Weights]], None]


class Update(Protocol):
    """What brings the weights from one step to the next, given their gradients.

    Attributes:
        parts: of the update; the same ones for every step.
        plain: likewise, by what they consist of; None where they are not PyTorch's own.
        numbers: of the step in progress.
    """

    parts: Sequence[Part]
    plain: Sequence[PlainPart] | None
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
            partial(part.do, [gradients[layer] for layer in part.layers]) for part in update.parts
        ]
        work_through(engine, tasks, lambda number: recorder.span(number, "update"))
