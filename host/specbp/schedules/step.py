"""What a schedule gives for one batch: gradients, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from specbp.network import Weights
from specbp.schedules.passes import Outcome


@dataclass(frozen=True)
class PhaseTimes:
    """Where a schedule spent its time on one batch, in ms.

    The field names are columns of the frame `steps`, which says what each means.
    """

    forward_ms: float
    backward_ms: float
    weight_gradient_ms: float
    gate_ms: float | None = None
    redo_ms: float | None = None
    recall_ms: float | None = None
    store_ms: float | None = None
    wait_ms: float | None = None


@dataclass(frozen=True)
class BatchGradients:
    """What a schedule gives for one batch.

    Attributes:
        gradients: of each layer with weights, for the update; in memory the caller may change.
        probabilities: actual softmax [batch, classes].
        losses: actual loss of each sample [batch], in nat.
        accepts: samples whose speculated gradient was kept; None where nothing is speculated.
        times: where the time went.
    """

    gradients: Sequence[Weights]
    probabilities: Tensor
    losses: Tensor
    accepts: int | None
    times: PhaseTimes


class Schedule(Protocol):
    """Orders and overlaps forward and backward."""

    def gradients(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch.

        Args:
            weights: of each layer with weights, in forward order; only read.
            images: float [batch, channels, height, width], normalised.
            labels: int64 [batch].
        """
        ...

    def state(self) -> Outcome | None:
        """Return what the schedule remembers from earlier batches, to go on later."""
        ...

    def restore(self, state: Outcome | None) -> None:
        """Go on from `state`."""
        ...

    def close(self) -> None:
        """Give the engines back."""
        ...
