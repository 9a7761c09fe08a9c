"""Rounding and saturation against Python's integers, and the scales and factors of numbers."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from specbp.arithmetic.fixed_point import (
    ACCUMULATOR_MAX,
    INT16_MAX,
    INT32_MAX,
    encode,
    fraction_bits,
    multiplier,
    requantise_,
)

sums = st.integers(-ACCUMULATOR_MAX, ACCUMULATOR_MAX)
limits = st.sampled_from([INT16_MAX, INT32_MAX])


def requantised(value, shift, limit):
    return int(requantise_(torch.tensor([float(value)], dtype=torch.float64), shift, limit))


def slow_requantised(value, shift, limit):
    if shift:
        value = (value + (1 << (shift - 1))) >> shift
    return min(limit, max(-limit, value))


@given(sums, st.integers(0, 47), limits)
@example(ACCUMULATOR_MAX, 47, INT16_MAX)
@example(-ACCUMULATOR_MAX, 1, INT32_MAX)
def test_requantising_is_an_integer_shift_with_rounding_and_saturation(value, shift, limit):
    assert requantised(value, shift, limit) == slow_requantised(value, shift, limit)


@given(st.integers(-40000, 40000), st.integers(1, 20), st.integers(-1, 1))
def test_halves_and_their_neighbours_round_upwards(quotient, shift, offset):
    value = (quotient << shift) + (1 << (shift - 1)) + offset
    expected = quotient + (0 if offset < 0 else 1)
    assert requantised(value, shift, INT32_MAX) == expected


@pytest.mark.parametrize("limit", [INT16_MAX, INT32_MAX])
@pytest.mark.parametrize("excess", [-1, 0, 1, 2])
def test_saturation_is_symmetric(limit, excess):
    cut_off = min(limit, limit + excess)
    assert requantised(limit + excess, 0, limit) == cut_off
    assert requantised(-limit - excess, 0, limit) == -cut_off


@given(st.floats(-1e6, 1e6), st.integers(-5, 20))
def test_encoding_rounds_halves_upwards_and_saturates(value, bits):
    given_values = torch.tensor([value], dtype=torch.float64)
    exact = math.floor(Fraction(value) * Fraction(2) ** bits + Fraction(1, 2))
    assert int(encode(given_values, bits, INT16_MAX)) == slow_requantised(exact, 0, INT16_MAX)
    assert float(given_values) == value


@given(st.floats(1e-12, 1e6), st.integers(0, 12))
def test_a_scale_leaves_its_headroom_and_not_a_bit_more(largest, headroom):
    bits = fraction_bits(largest, headroom, 15)
    scaled = Fraction(largest) * Fraction(2) ** (bits + headroom)
    assert 2**14 <= scaled < 2**15


def test_a_tensor_of_zeros_counts_as_one():
    assert fraction_bits(0.0, 3, 15) == fraction_bits(1.0, 3, 15) == 11


@given(st.floats(1e-12, 1e6))
@example(0.99999999)
@example(1.0)
def test_a_multiplier_has_15_bits_and_is_the_nearest(value):
    factor = multiplier(value)
    assert 2**14 <= factor.mantissa < 2**15
    exact = Fraction(value) * Fraction(2) ** factor.exponent
    assert abs(exact - factor.mantissa) <= Fraction(1, 2)


def test_nothing_times_anything_is_nothing():
    assert multiplier(0.0).mantissa == 0
