"""A control: backward only for the samples with a large loss, on one engine.

Saves backward where speculation saves waiting for it; the idea of selective backpropagation
(Jiang et al., "Accelerating deep learning by focusing on the biggest losers", 2019), with a fixed
loss below which a sample is skipped.
"""

from __future__ import annotations

from torch import Tensor

from specbp.schedules.chain import Chain
from specbp.schedules.sequential import ordinary_gradients
from specbp.schedules.spans import Now, Recorder
from specbp.schedules.step import (
    BatchGradients,
    Load,
    RemembersNothing,
    StepWeights,
    sequential_times,
)
from specbp.schedules.updating import Update, own_update


class Selective(RemembersNothing):
    """Ordinary backpropagation without the samples whose loss is small.

    The gradient stays that of the mean over the whole batch, with nothing from skipped samples.

    Args:
        chain: the passes.
        skip_loss: samples with a smaller loss are skipped, nat.
        now: the clock.
    """

    def __init__(self, chain: Chain, skip_loss: float, now: Now) -> None:
        self._chain = chain
        self._skip_loss = skip_loss
        self._now = now

    def gradients(
        self, weights: StepWeights, load: Load, labels: Tensor, update: Update | None = None
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, without its easy samples."""
        recorder = Recorder(self._now)
        images = load()
        with recorder.span(0, "forward"):
            outcome, losses = self._chain.forward(weights.ahead, images, labels)
        with recorder.span(0, "gate"):
            hard = (losses >= self._skip_loss).nonzero()[:, 0]
            chosen = outcome if len(hard) == len(labels) else outcome.rows(hard)
        gradients = ordinary_gradients(
            self._chain, weights.current, chosen, len(labels), recorder, 0
        )
        own_update(update, gradients, recorder)
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=recorder.spans,
            sum_up=sequential_times,
        )

    def close(self) -> None:
        """Do nothing: the engine is the caller's own."""
