"""The float32 update for a GPU: all weights in one piece of memory, learning rates on the GPU too.

A kernel takes a GPU as long to start as to update a small network, and `torch._fused_sgd_`, made
for large ones, leaves most of it idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.network import Weights


class FlatWeights:
    """Weights of a network, or momenta, one after the other in memory.

    Args:
        weights: weights of each layer with weights, contiguous; they are copied.

    Attributes:
        memory: all of them, [parameters].
        weights: views of it, shaped as those given.
    """

    def __init__(self, weights: Sequence[Weights]) -> None:
        self.memory = flattened(weights)
        sizes = [one.numel() for one in chain(*weights)]
        parts = iter(self.memory.split(sizes))
        self.weights: list[Weights] = [
            (next(parts).view_as(weight), next(parts).view_as(bias)) for weight, bias in weights
        ]


def flattened(weights: Sequence[Weights]) -> Tensor:
    """Return a copy of all `weights`, one after the other, [parameters]."""
    return torch.cat([one.flatten() for one in chain(*weights)])


def update_flat(
    weights: Tensor,
    momenta: Tensor,
    gradients: Tensor,
    minus_rate: Tensor,
    rule: UpdateRule,
) -> None:
    """Do one SGD step in place; see `specbp.arithmetic.Arithmetic.update`.

    Args:
        weights: float32 [parameters].
        momenta: without momentum they are left alone.
        gradients: gradients, float32 [parameters]; overwritten.
        minus_rate: learning rate times -1, []; that of the rule is not read.
        rule: learning rate and momentum of the update.
    """
    if rule.weight_decay:
        gradients.add_(weights, alpha=rule.weight_decay)
    direction = gradients
    if rule.momentum:
        torch.add(gradients, momenta, alpha=rule.momentum, out=momenta)
        direction = gradients.add_(momenta, alpha=rule.momentum) if rule.nesterov else momenta
    weights.addcmul_(direction, minus_rate)


def predict_flat(weights: Tensor, momenta: Tensor, ahead: Tensor, minus_distance: Tensor) -> None:
    """Write to `ahead` where momentum alone will have brought the weights: w - distance * m.

    Args:
        weights: float32 [parameters].
        momenta: momentum buffers after the last update.
        ahead: float32 [parameters] for the predicted weights; overwritten.
        minus_distance: learning rate times the number of steps to look ahead, times -1, [].
    """
    torch.addcmul(weights, momenta, minus_distance, out=ahead)
