"""The arithmetic of the overlay on numpy integers, as `overlays/specbp/ARITHMETIC.md` says.

Written apart from `specbp.arithmetic.int16`, which computes the same in PyTorch: tests hold the
two against each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INT16_MAX = 2**15 - 1
INT32_MAX = 2**31 - 1
SUM_BITS = 48

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
