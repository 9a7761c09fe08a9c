"""The sequential schedule: forward, then backward, on one engine."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Network, Weights
from specbp.schedules.engines import Stopwatch
from specbp.schedules.passes import Outcome, forward, input_gradients, weight_gradients
from specbp.schedules.step import BatchGradients, PhaseTimes


class Sequential:
    """Ordinary backpropagation; remembers nothing between batches."""

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        self._network = network
        self._arithmetic = arithmetic

    def gradients(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch."""
        watch = Stopwatch()
        outcome, losses = forward(self._network, self._arithmetic, weights, images, labels)
        forward_ms = watch.lap_ms()
        deltas = ordinary_deltas(self._network, self._arithmetic, weights, outcome, len(labels))
        input_gradient_ms = watch.lap_ms()
        gradients = weight_gradients(self._network, self._arithmetic, outcome.inputs, deltas)
        weight_gradient_ms = watch.lap_ms()
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            accepts=None,
            times=PhaseTimes(
                forward_ms, input_gradient_ms + weight_gradient_ms, weight_gradient_ms
            ),
        )

    def state(self) -> None:
        """Return nothing: there is nothing to remember."""

    def restore(self, state: Outcome | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the engine is the caller's own."""


def ordinary_deltas(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    outcome: Outcome,
    batch_size: int,
) -> list[Tensor]:
    """Return the gradient at the output of each layer with weights, from an actual outcome.

    `batch_size` is that of the whole step, also when `outcome` holds only some of its samples.
    """
    delta = arithmetic.logit_gradient(outcome.probabilities, outcome.labels, batch_size)
    return input_gradients(network, arithmetic, weights, outcome.masks, delta)
