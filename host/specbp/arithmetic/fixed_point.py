"""Fixed point: integers with a power-of-two scale, and the one way in which they are rounded.

Integers are held in float64 tensors, exact below 2^53, because PyTorch convolves floats only.
``overlays/specbp/ARITHMETIC.md`` specifies the format for hardware and software alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

INT16_MAX = 2**15 - 1
INT32_MAX = 2**31 - 1
"""Saturation is symmetric: without -2^15 and -2^31 every negation is exact."""

ACCUMULATOR_MAX = 2**47 - 1
"""Largest value of the 48-bit signed accumulator of a DSP48E1."""

LARGEST_SHIFT = 47
"""Widest right shift of the requantiser; a wider one of a 48-bit value could only give 0."""

MULTIPLIER_BITS = 15
"""Magnitude bits of a multiplier: with its sign it fits a 16-bit operand."""


def requantise_(sums: Tensor, shift: int, limit: int) -> Tensor:
    """Shift right with rounding, then saturate, in the memory of `sums`.

    Half an output step is rounded up, whatever the sign: ``(v + 2^(shift-1)) >> shift``. In
    float64 that is ``floor(v * 2^-shift + 0.5)``, where each operation is exact for |v| < 2^52.

    Args:
        sums: integer-valued float64, any shape.
        shift: bits to drop, 0 to `LARGEST_SHIFT`.
        limit: `INT16_MAX` or `INT32_MAX`.
    """
    if shift:
        sums.mul_(2.0**-shift).add_(0.5).floor_()
    return sums.clamp_(-limit, limit)


def encode(values: Tensor, fraction_bits: int, limit: int) -> Tensor:
    """Return real `values` as integers of 2^-fraction_bits, rounded half up and saturated.

    Args:
        values: floating point, any shape.
        fraction_bits: fraction bits of the result.
        limit: `INT16_MAX` or `INT32_MAX`.

    Returns:
        A new tensor, integer-valued float64.
    """
    return requantise_(values.double().mul(2.0**fraction_bits).add_(0.5).floor_(), 0, limit)


def fraction_bits(largest: float, headroom: int, magnitude_bits: int) -> int:
    """Return the fraction bits with which `largest` leaves `headroom` bits unused.

    The range of the format is the smallest power of two above `largest`, times 2^headroom.

    Args:
        largest: the largest absolute value seen; 0 counts as 1.
        headroom: bits kept free above it.
        magnitude_bits: bits without the sign, 15 or 31.
    """
    integer_bits = math.frexp(largest or 1.0)[1]
    return magnitude_bits - headroom - integer_bits


@dataclass(frozen=True)
class Multiplier:
    """A factor ``mantissa * 2^-exponent``, which the hardware multiplies by and shifts.

    Attributes:
        mantissa: 0, or 2^14 to 2^15 - 1.
        exponent: any sign.
    """

    mantissa: int
    exponent: int


def multiplier(value: float) -> Multiplier:
    """Return the `Multiplier` nearest to `value`, at least 0, to a relative 2^-15."""
    fraction, power = math.frexp(value)
    mantissa = math.floor(fraction * 2**MULTIPLIER_BITS + 0.5)
    if mantissa == 2**MULTIPLIER_BITS:
        mantissa, power = mantissa // 2, power + 1
    return Multiplier(mantissa, MULTIPLIER_BITS - power)
