"""The gate: is a cached softmax close enough to the actual one to keep the speculated gradient?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from specbp.experiment import Experiment

Metric = Literal["none", "max", "tv", "mean", "loss"]
METRICS: tuple[Metric, ...] = get_args(Metric)

GAIN = 0.1
"""How fast an adaptive threshold follows its target."""

_DISTANCES: dict[Metric, Callable[[Tensor], Tensor]] = {
    "max": lambda difference: difference.amax(1),
    "tv": lambda difference: difference.sum(1) / 2,
    "mean": lambda difference: difference.mean(1),
}
"""Distance of each sample [batch] from |actual - cached| softmax [batch, classes], float64.

The largest value each can take is `specbp.experiment.gate_range`.
"""


@dataclass
class Gate:
    """Decides on the samples of a batch.

    With `none` every sample is accepted. With `max`, `tv` and `mean` a sample is accepted whose
    distance is below the threshold; a threshold of 0 never accepts. With `loss` a sample is kept
    whose loss is at least the threshold.

    An adaptive threshold follows a target accept rate: after each batch
    threshold <- threshold * exp(`GAIN` * (target - accepted share)).

    Attributes:
        metric: distance between actual and cached softmax.
        threshold: a sample is accepted below it; of `loss`, nat.
        target: accept rate to follow; None for a fixed threshold.
    """

    metric: Metric
    threshold: float = 0.0
    target: float | None = None

    def __call__(self, actual: Tensor, cached: Tensor, losses: Tensor) -> Tensor:
        """Return for each sample whether it is accepted: bool [batch].

        Args:
            actual: softmax [batch, classes] of the forward.
            cached: softmax [batch, classes] that the speculation started from.
            losses: loss of each sample [batch].
        """
        if self.metric == "none":
            return torch.ones_like(losses, dtype=torch.bool)
        if self.metric == "loss":
            return losses >= self.threshold
        distance = _DISTANCES[self.metric]((actual - cached).double().abs())
        accepted = distance < self.threshold
        if self.target is not None and len(accepted):
            share = int(accepted.sum()) / len(accepted)
            self.threshold *= math.exp(GAIN * (self.target - share))
        return accepted


def gate_of(experiment: Experiment) -> Gate:
    """Return the gate of an experiment."""
    if experiment.schedule == "selective":
        assert experiment.skip_loss is not None
        return Gate("loss", experiment.skip_loss)
    metric, threshold = experiment.gate_metric, experiment.gate_threshold
    if not experiment.speculates or metric is None or threshold is None:
        return Gate("none")
    return Gate(metric, threshold, experiment.gate_target)
