"""The sequential schedule: forward, then backward, on one engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from specbp.network import Weights
from specbp.schedules.chain import Chain
from specbp.schedules.outcome import Outcome
from specbp.schedules.spans import Recorder, Span
from specbp.schedules.step import (
    BatchGradients,
    StepWeights,
    Task,
    own_update,
    sequential_times,
)


class Sequential:
    """Ordinary backpropagation; remembers nothing between batches."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def gradients(self, weights: StepWeights, images: Tensor, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch."""
        recorder = Recorder()
        with recorder.span(0, "forward"):
            outcome, losses = self._chain.forward(weights.ahead, images, labels)
        gradients = ordinary_gradients(
            self._chain, weights.current, outcome, len(labels), recorder, 0
        )
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=recorder.spans,
            sum_up=sequential_times,
        )

    def share(self, tasks: Sequence[Task]) -> list[Span]:
        """Do the tasks of the update one after another."""
        return own_update(tasks)

    def state(self) -> dict[str, Any]:
        """Return nothing: there is nothing to remember."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the engine is the caller's own."""


def ordinary_gradients(
    chain: Chain,
    weights: Sequence[Weights],
    outcome: Outcome,
    batch_size: int,
    recorder: Recorder,
    engine: int,
) -> list[Weights]:
    """Return the weight gradients of the samples of `outcome`, from an ordinary backward.

    `batch_size` is that of the whole step, also when `outcome` holds only some of its samples.
    """
    with recorder.span(engine, "input gradient"):
        deltas = chain.deltas(weights, outcome, outcome.labels, batch_size)
    with recorder.span(engine, "weight gradient"):
        return chain.weight_gradients(outcome.inputs, deltas)
