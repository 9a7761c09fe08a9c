"""The gate: is a cached softmax close enough to the actual one to keep the speculated gradient?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from specbp.experiment import GateMetric
from specbp.schedules.place import HOST

DISTANCES: dict[GateMetric, Callable[[Tensor], Tensor]] = {
    "max": lambda difference: difference.abs().amax(1),
    "tv": lambda difference: difference.abs().sum(1) / 2,
    "mean": lambda difference: difference.abs().mean(1),
}
"""Distance of each sample [batch] from actual minus cached softmax [batch, classes].

The largest value each can take is `specbp.experiment.gate_range`.
"""


class Gate(Protocol):
    """Decides on the samples of a batch."""

    def __call__(self, actual: Tensor, cached: Tensor) -> Tensor:
        """Return for each sample whether it is accepted: bool [batch].

        Args:
            actual: softmax [batch, classes] of the forward.
            cached: softmax [batch, classes] that the speculation started from.
        """
        ...

    def state(self) -> float | None:
        """Return what is needed to go on later."""
        ...

    def restore(self, state: float | None) -> None:
        """Go on from `state`."""
        ...


class OpenGate:
    """Accepts every sample that was speculated on: the metric `none`."""

    def __call__(self, actual: Tensor, cached: Tensor) -> Tensor:
        """Accept all."""
        return torch.ones(len(actual), dtype=torch.bool, device=actual.device)

    def state(self) -> None:
        """Return nothing: nothing is remembered."""

    def restore(self, state: float | None) -> None:
        """Do nothing."""


class FixedGate:
    """Accepts below a threshold; a threshold of 0 never accepts, since no distance is below it.

    Args:
        metric: distance between actual and cached softmax.
        threshold: a sample is accepted below it.
    """

    def __init__(self, metric: GateMetric, threshold: float) -> None:
        self._distance = DISTANCES[metric]
        self._threshold = threshold

    def __call__(self, actual: Tensor, cached: Tensor) -> Tensor:
        """Accept the samples whose distance is below the threshold."""
        return self._distance(actual - cached) < self._threshold

    def state(self) -> None:
        """Return nothing: nothing is remembered."""

    def restore(self, state: float | None) -> None:
        """Do nothing."""


class AdaptiveGate:
    """A threshold that follows a target accept rate.

    After each batch, threshold <- threshold * exp(`GAIN` * (target - accepted share)): it rises
    while too few are accepted and falls while too many are. That makes the gate keep the better
    part of the samples, whatever the size of the distances, which changes all through training.

    Args:
        metric: distance between actual and cached softmax.
        threshold: of the first batch.
        target: accept rate to follow, between 0 and 1.
        place: where the softmax vectors are.
    """

    GAIN = 0.1

    def __init__(
        self, metric: GateMetric, threshold: float, target: float, place: torch.device = HOST
    ) -> None:
        self._distance = DISTANCES[metric]
        self._threshold = torch.tensor(threshold, dtype=torch.float64, device=place)
        self._target = target

    def __call__(self, actual: Tensor, cached: Tensor) -> Tensor:
        """Accept the samples whose distance is below the threshold, and adapt it."""
        accepted = self._distance(actual - cached) < self._threshold
        missing = self._target - accepted.double().mean()
        self._threshold.mul_((self.GAIN * missing).exp_())
        return accepted

    def state(self) -> float:
        """Return the threshold as it is."""
        return float(self._threshold)

    def restore(self, state: float | None) -> None:
        """Go on from `state`."""
        assert state is not None
        self._threshold.fill_(state)
