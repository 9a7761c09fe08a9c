"""What a runtime is given for some steps, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.plan.tasks import KINDS

WAIT = len(KINDS)
"""Number of the word `wait` in a table of spans."""
STEP, ENGINE, KIND, NODE, STARTED, ENDED = range(6)
"""Columns of a table of spans."""


@dataclass(frozen=True)
class StepParams:
    """The numbers of the update of one step.

    Attributes:
        rule: learning rate, momentum and weight decay.
        distance: how far the forward of the next step looks ahead, in momentum buffers.
        warmup: whether the step belongs to a warm-up.
        step: number of the step, from 0.
    """

    rule: UpdateRule
    distance: float = 0.0
    warmup: bool = False
    step: int = 0


@dataclass(frozen=True)
class StepResults:
    """What some steps gave.

    Attributes:
        losses: loss of each sample [steps, batch], in nat.
        probabilities: softmax [steps, batch, classes].
        accepted: for each sample whether its speculated gradient was kept, bool [steps, batch];
            all false in a step that speculates on nothing.
        times: when each step began and ended [steps, 2], s, from an arbitrary origin.
        spans: a row for each task that an engine executed, and for each wait [spans, 6], float64:
            step, engine, number of the kind, node, when it began and ended, s.
    """

    losses: Tensor
    probabilities: Tensor
    accepted: Tensor
    times: NDArray[np.float64]
    spans: NDArray[np.float64]


class Runtime(Protocol):
    """Executes the steps of one training.

    Attributes:
        name: which runtime it is.
    """

    name: str

    def advance(
        self, index: Tensor, params: Sequence[StepParams], places: Tensor | None = None
    ) -> StepResults:
        """Execute steps; stop after one whose loss is not finite.

        Args:
            index: samples of each step, int64 [steps, batch].
            params: params of each step.
            places: what augmentation does to each sample, int64 [steps, batch, 5].
        """
        ...

    def state(self) -> Mapping[str, Any]:
        """Return what is remembered from earlier steps, as plain containers of tensors."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        ...

    def close(self) -> None:
        """Give threads and memory back."""
        ...
