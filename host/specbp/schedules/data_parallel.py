"""A control: the batch split over the engines, each doing forward and backward of its part.

Exact: the gradient is that of the sequential schedule but for the order of summation. What two
engines gain so is what speculation on two engines has to beat.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from specbp.network import Weights
from specbp.runtime.spans import Now, Recorder
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Engine
from specbp.schedules.outcome import Outcome
from specbp.schedules.sequential import ordinary_gradients
from specbp.schedules.step import (
    BatchGradients,
    Load,
    RemembersNothing,
    StepWeights,
    speculative_times,
)


class DataParallel(RemembersNothing):
    """Ordinary backpropagation of two halves of a batch at the same time.

    Args:
        chain: the passes.
        engine: does the second half.
        now: the clock.
    """

    def __init__(self, chain: Chain, engine: Engine, now: Now) -> None:
        self._chain = chain
        self._engine = engine
        self._now = now

    def gradients(self, weights: StepWeights, load: Load, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch of at least two samples."""
        recorder = Recorder(self._now)
        parts = list(zip(load().chunk(2), labels.chunk(2), strict=True))
        share = partial(self._share, weights, len(labels), recorder)
        second = self._engine.submit(partial(share, 1, *parts[1]))
        first = share(0, *parts[0])
        with recorder.span(0, "wait"):
            halves = [first, second.result()]
        outcomes, losses, parts_of_gradients = zip(*halves, strict=True)
        with recorder.span(0, "update"):
            gradients = self._chain.arithmetic.add(*parts_of_gradients)
        return BatchGradients(
            gradients,
            torch.cat([outcome.probabilities for outcome in outcomes]),
            torch.cat(losses),
            spans=recorder.spans,
            sum_up=speculative_times,
        )

    def close(self) -> None:
        """Give the second engine back."""
        self._engine.close()

    def _share(
        self,
        weights: StepWeights,
        batch_size: int,
        recorder: Recorder,
        engine: int,
        images: Tensor,
        labels: Tensor,
    ) -> tuple[Outcome, Tensor, list[Weights]]:
        with recorder.span(engine, "forward"):
            outcome, losses = self._chain.forward(weights.ahead, images, labels)
        gradients = ordinary_gradients(
            self._chain, weights.current, outcome, batch_size, recorder, engine
        )
        return outcome, losses, gradients
