"""The overlay's softmax against the same steps in Python's integers, and against the real one."""

import math
from decimal import Decimal, getcontext
from functools import cache

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specbp.arithmetic.int16_softmax import TABLE, softmax
from specbp.schedules.gate import FixedGate

TOLERANCE = 1e-3
logits = st.lists(st.integers(-32767, 32767), min_size=1, max_size=12)
near_logits = st.lists(st.integers(-40, 40), min_size=2, max_size=12)


@cache
def slow_table():
    """2^(15 - k/256), rounded, in 50 decimal digits."""
    getcontext().prec = 50
    half = Decimal("0.5")
    return [int(Decimal(2) ** (15 - Decimal(k) / 256) + half) for k in range(256)]


def slow_softmax(row, bits):
    shift, table = bits + 6, slow_table()
    half = 1 << (shift - 1) if shift else 0
    exponentials = []
    for logit in row:
        octaves, index = divmod((23637 * (max(row) - logit) + half) >> shift, 256)
        exponentials.append(0 if octaves >= 24 else (table[index] << 8) >> octaves)
    total = sum(exponentials)
    return [((one << 14) + (total >> 1)) // total for one in exponentials]


def test_the_table_is_that_of_the_formula():
    assert list(TABLE) == slow_table()


@settings(max_examples=300)
@given(st.one_of(logits, near_logits), st.integers(-6, 14))
@example([32767, -32767], 10)
@example([0] * 511, 10)
@example([0, -23, -24, -25], 0)
def test_softmax_agrees_to_the_bit_with_integers(row, bits):
    actual = softmax(torch.tensor([row, row[::-1]], dtype=torch.float64), bits)
    assert actual[0].tolist() == slow_softmax(row, bits)
    assert actual[1].tolist() == slow_softmax(row[::-1], bits)


@pytest.mark.parametrize("bits", [0, 6, 10, 12])
@pytest.mark.parametrize("classes", [2, 10, 100, 511])
def test_softmax_is_close_to_the_real_one(bits, classes):
    generator = torch.Generator().manual_seed(classes + bits)
    spread = torch.logspace(-2, 1.3, 400, dtype=torch.float64)[:, None]
    real = torch.randn(400, classes, generator=generator, dtype=torch.float64) * spread
    rounded = torch.floor(real * 2**bits).clamp(-32767, 32767)
    actual = softmax(rounded, bits) / 2**14
    assert (actual - torch.softmax(rounded / 2**bits, 1)).abs().max() < TOLERANCE


@given(logits, st.integers(-6, 14))
def test_one_is_the_largest_probability_and_order_is_kept(row, bits):
    actual = softmax(torch.tensor([row], dtype=torch.float64), bits)[0]
    assert 0 <= int(actual.min()) <= int(actual.max()) <= 2**14
    order = sorted(range(len(row)), key=row.__getitem__)
    assert (actual[order].diff() >= 0).all()


@pytest.mark.parametrize("metric", ["max", "tv", "mean"])
@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.1, 0.15, 0.2, 1 / 3])
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_gate_can_be_held_in_integers(metric, threshold, classes):
    """ARITHMETIC.md, section 6: a distance of D steps is accepted below L."""
    one = 2.0**-14
    steps = torch.arange(2**14 + 1, dtype=torch.float64)
    actual, cached = torch.zeros(2, len(steps), classes, dtype=torch.float64)
    actual[:, 0] = steps * one
    if metric != "max":
        cached[:, 1] = steps * one
        steps = 2 * steps
    scale = {"max": 2**14, "tv": 2**15}.get(metric)
    if scale:
        accepted = steps < math.ceil(threshold * scale)
    else:
        accepted = steps * one / classes < threshold
    assert torch.equal(FixedGate(metric, threshold)(actual, cached), accepted)
