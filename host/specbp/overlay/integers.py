"""The arithmetic of the overlay on numpy integers, as `overlays/specbp/ARITHMETIC.md` says.

Written apart from `specbp.arithmetic.int16`, which computes the same in PyTorch: tests hold the
two against each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.isa import Factors

INT16_MAX = 2**15 - 1
INT32_MAX = 2**31 - 1
SUM_BITS = 48
LOG2_E = 23637
"""log2(e) in steps of 2^-14."""
TABLE = np.floor(2.0 ** (15 - np.arange(256) / 256) + 0.5).astype(np.int64)
"""2^-(k/256) in steps of 2^-15."""
VANISHED = 24
"""Octaves below the largest logit at which nothing is left."""

Integers = NDArray[np.int64]


def requantised(values: Integers, shift: int, limit: int) -> Integers:
    """Shift right with halves rounded up, then saturate at ±`limit`: Q(values, shift, limit)."""
    if shift:
        values = (values + (1 << shift - 1)) >> shift
    return values.clip(-limit, limit)


def wrapped(values: Integers) -> Integers:
    """Keep the low 48 bits, with their sign."""
    spare = 64 - SUM_BITS
    return (values << spare) >> spare


def softmax(logits: Integers, shift: int) -> Integers:
    """Return softmax in steps of 2^-14.

    Args:
        logits: [samples, classes].
        shift: their fraction bits, plus 6.
    """
    distance = logits.max(1, keepdims=True) - logits
    position = (LOG2_E * distance + ((1 << shift) >> 1)) >> shift
    octaves, part = position >> 8, position & 255
    exponentials = np.where(
        octaves >= VANISHED, 0, (TABLE[part] << 8) >> octaves.clip(max=VANISHED)
    )
    total = exponentials.sum(1, keepdims=True)
    quotients: Integers = ((exponentials << 14) + (total >> 1)) // total
    return quotients


def sgd_step(
    masters: Integers, momenta: Integers, gradients: Integers, factors: Factors
) -> tuple[Integers, Integers]:
    """Return new masters and momenta; all are int32 values, the gradients rounded already."""
    momenta = (
        requantised(factors.momentum * momenta, 15, INT32_MAX)
        + gradients
        + requantised(factors.decay * masters, factors.decay_shift, INT32_MAX)
    ).clip(-INT32_MAX, INT32_MAX)
    step = requantised(factors.rate * momenta, factors.rate_shift, INT32_MAX)
    return (masters - step).clip(-INT32_MAX, INT32_MAX), momenta
