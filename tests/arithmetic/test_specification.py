"""The examples in ARITHMETIC.md hold: in the code, and in plain integers where it is one line."""

import re
from pathlib import Path

import pytest
import torch

from specbp.arithmetic.fixed_point import INT16_MAX, INT32_MAX, Multiplier, multiplier, requantise_
from specbp.arithmetic.int16_softmax import TABLE, softmax

PAGE = Path(__file__).parents[2] / "overlays" / "specbp" / "ARITHMETIC.md"
TEXT = PAGE.read_text(encoding="utf-8")

ROUNDINGS = re.findall(r"Q(16|32)\((-?\d+), (\d+)\) = (-?\d+)", TEXT)
SOFTMAXES = re.findall(r"softmax\((-?\d+); ([-\d, ]+)\) = ([\d, ]+)", TEXT)
FACTORS = re.findall(r"factor\(([\d./ ]+)\) = (\d+), e = (\d+)", TEXT)
ENTRIES = re.findall(r"TABLE\[(\d+)\] = (\d+)", TEXT)


def test_the_page_has_examples_of_everything():
    assert [len(found) for found in (ROUNDINGS, SOFTMAXES, FACTORS, ENTRIES)] == [9, 4, 3, 4]


@pytest.mark.parametrize(("bits", "value", "shift", "result"), ROUNDINGS)
def test_rounding(bits, value, shift, result):
    value, shift, result = int(value), int(shift), int(result)
    limit = INT16_MAX if bits == "16" else INT32_MAX
    half = 1 << (shift - 1) if shift else 0
    assert min(limit, max(-limit, (value + half) >> shift)) == result
    assert int(requantise_(torch.tensor([value]).double(), shift, limit)) == result


@pytest.mark.parametrize(("bits", "logits", "result"), SOFTMAXES)
def test_softmax(bits, logits, result):
    row = torch.tensor([[int(one) for one in logits.split(",")]]).double()
    assert softmax(row, int(bits))[0].tolist() == [int(one) for one in result.split(",")]


@pytest.mark.parametrize(("value", "mantissa", "exponent"), FACTORS)
def test_factors(value, mantissa, exponent):
    numerator, _, denominator = value.partition("/")
    real = float(numerator) / float(denominator or 1)
    assert multiplier(real) == Multiplier(int(mantissa), int(exponent))


def test_table():
    assert all(TABLE[int(index)] == int(entry) for index, entry in ENTRIES)
    assert f"the sum of all entries is {sum(TABLE)}" in TEXT
