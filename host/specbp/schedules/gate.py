"""The gate: is a cached softmax close enough to the actual one to keep the speculated gradient?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from specbp.experiment import GateMetric

Gate = Callable[[Tensor, Tensor], Tensor]
"""From actual and cached softmax [batch, classes] to whether each is accepted: bool [batch]."""

DISTANCES: dict[GateMetric, Callable[[Tensor], Tensor]] = {
    "max": lambda difference: difference.abs().amax(1),
    "tv": lambda difference: difference.abs().sum(1) / 2,
    "mean": lambda difference: difference.abs().mean(1),
}
"""Distance of each sample [batch] from actual minus cached softmax [batch, classes].

The largest value each can take is `specbp.experiment.gate_range`.
"""


def accept(metric: GateMetric, threshold: float, actual: Tensor, cached: Tensor) -> Tensor:
    """Return for each sample whether its distance is below `threshold`: bool [batch].

    A threshold of 0 never accepts, since no distance is below it.
    """
    return DISTANCES[metric](actual - cached) < threshold


def accept_all(actual: Tensor, cached: Tensor) -> Tensor:
    """Accept every sample that was speculated on: the gate `none`."""
    return torch.ones(len(actual), dtype=torch.bool, device=actual.device)
