"""What a schedule gives for one batch: gradients, and where the time went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from specbp.network import Weights
from specbp.runtime.spans import Phase, Span

Load = Callable[[], Tensor]
"""Gives the images of a batch, [batch, channels, height, width], encoded by the arithmetic."""


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
    engine_1_forward_ms: float | None = None
    engine_1_input_gradient_ms: float | None = None
    engine_1_weight_gradient_ms: float | None = None


def sequential_times(spans: Sequence[Span]) -> PhaseTimes:
    """Return the times of a schedule without speculation."""
    weight_gradient_ms = total_ms(spans, "weight gradient")
    return PhaseTimes(
        total_ms(spans, "forward"),
        total_ms(spans, "input gradient") + weight_gradient_ms,
        weight_gradient_ms,
    )


def speculative_times(spans: Sequence[Span]) -> PhaseTimes:
    """Return the times of a schedule on two engines; `wait_ms` is that of engine 0 alone."""
    second = [span for span in spans if span.engine == 1]
    return replace(
        sequential_times(spans),
        gate_ms=total_ms(spans, "gate"),
        redo_ms=total_ms(spans, "redo"),
        recall_ms=total_ms(spans, "recall"),
        store_ms=total_ms(spans, "store"),
        wait_ms=total_ms([span for span in spans if span.engine == 0], "wait"),
        engine_1_forward_ms=total_ms(second, "forward"),
        engine_1_input_gradient_ms=total_ms(second, "input gradient"),
        engine_1_weight_gradient_ms=total_ms(second, "weight gradient"),
    )


def total_ms(spans: Sequence[Span], phase: Phase) -> float:
    """Return how long the spans of `phase` took together, ms."""
    return sum((span.duration_ms for span in spans if span.phase == phase), 0.0)


@dataclass(frozen=True)
class BatchGradients:
    """What a schedule gives for one batch.

    Attributes:
        gradients: of each layer with weights, for the update; in memory the caller may change.
        probabilities: actual softmax [batch, classes].
        losses: actual loss of each sample [batch], in nat.
        spans: where the time went, engine by engine.
        sum_up: makes phase times of the spans; left for later, so that the update need not wait.
        accepted: for each sample whether its speculated gradient was kept, bool [batch]; None
            where nothing is speculated.
    """

    gradients: Sequence[Weights]
    probabilities: Tensor
    losses: Tensor
    spans: Sequence[Span]
    sum_up: Callable[[Sequence[Span]], PhaseTimes]
    accepted: Tensor | None = None

    @property
    def times(self) -> PhaseTimes:
        """Where the time went."""
        return self.sum_up(self.spans)

    @property
    def accepts(self) -> int | None:
        """How many speculated gradients were kept; None where nothing is speculated."""
        return None if self.accepted is None else int(self.accepted.sum())


class StepWeights(NamedTuple):
    """The weights that the passes of one step read, of each layer with weights, forward order.

    Attributes:
        current: what backward and refresh use, and what will be updated.
        ahead: what forward uses: the current ones, or with weight prediction where the weights
            are expected to be when the outcome of this forward is used.
    """

    current: Sequence[Weights]
    ahead: Sequence[Weights]


class RemembersNothing:
    """A schedule in which no batch depends on an earlier one, but for the weights."""

    def state(self) -> dict[str, Any]:
        """Return nothing: there is nothing to remember."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class Schedule(Protocol):
    """Orders and overlaps forward and backward."""

    def gradients(self, weights: StepWeights, load: Load, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch.

        Args:
            weights: read by the passes.
            load: called once, by engine 0, when all that needs no images is under way.
            labels: int64 [batch].
        """
        ...

    def state(self) -> Mapping[str, Any]:
        """Return what the schedule remembers from earlier batches, to go on later."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        ...

    def close(self) -> None:
        """Give the engines back."""
        ...
