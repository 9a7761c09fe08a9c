"""Which values dropout keeps: decided by seed, step, layer and sample, and by nothing else.

The numbers come from a counter, mixed as in SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014). So a training that is resumed drops what an
undisturbed one drops, in whichever order engines come by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from specbp.network import Shape

GOLDEN = 0x9E3779B97F4A7C15
DRAWN_BITS = 24
"""Bits of the numbers that are held against the probability."""


@dataclass(frozen=True)
class Draw:
    """What decides on the values of one layer in one step, beside the samples.

    Attributes:
        seed: seed of the training.
        step: number of the step, from 0.
        layer: position of the layer in the network.
    """

    seed: int
    step: int
    layer: int

    def factors(self, samples: Tensor, shape: Shape, probability: float) -> Tensor:
        """Return 0 for values that are dropped and 1 / (1 - probability) for others, float32.

        Args:
            samples: places of the samples in the training set, int64 [batch].
            shape: shape of a sample.
            probability: share of the values to drop.

        Returns:
            Factors [batch, *shape].
        """
        key = torch.tensor(0)
        for number in (self.seed, self.step, self.layer):
            key = _mixed(key + _signed(GOLDEN) + number)
        keys = _mixed(key + _signed(GOLDEN) + samples)
        counters = torch.arange(1, math.prod(shape) + 1) * _signed(GOLDEN)
        drawn = _shifted(_mixed(keys[:, None] + counters), 64 - DRAWN_BITS)
        kept = drawn >= threshold(probability)
        scale = torch.tensor(1 / (1 - probability), dtype=torch.float32)
        return (kept * scale).view(len(samples), *shape)


def threshold(probability: float) -> int:
    """Return the number below which a value is dropped that is drawn from `DRAWN_BITS` bits."""
    return round(probability * (1 << DRAWN_BITS))


def _mixed(numbers: Tensor) -> Tensor:
    """Return 64 bits of which each depends on all of `numbers`; int64, whose products wrap."""
    numbers = (numbers ^ _shifted(numbers, 30)) * _signed(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ _shifted(numbers, 27)) * _signed(0x94D049BB133111EB)
    return numbers ^ _shifted(numbers, 31)


def _shifted(numbers: Tensor, bits: int) -> Tensor:
    """Return `numbers` shifted to the right as if they had no sign."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
