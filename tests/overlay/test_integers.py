"""The overlay's arithmetic in numpy, against the one in PyTorch that was written apart from it."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.arithmetic import int16_softmax
from specbp.arithmetic.fixed_point import requantise_
from specbp.arithmetic.int16_update import StepIntegers, step_
from specbp.overlay.instructions import Factors
from specbp.overlay.instructions.sgd import sgd_step
from specbp.overlay.instructions.softmax import softmax
from specbp.overlay.integers import INT16_MAX, INT32_MAX, requantised, wrapped

INT32 = st.integers(-INT32_MAX, INT32_MAX)
FACTOR, SHIFT = st.integers(0, 2**15 - 1), st.integers(0, 47)


@given(
    st.lists(st.integers(-(2**46), 2**46), min_size=1),
    SHIFT,
    st.sampled_from([INT16_MAX, INT32_MAX]),
)
def test_rounding(values, shift, limit):
    expected = requantise_(torch.tensor(values, dtype=torch.float64), shift, limit)
    assert requantised(np.array(values), shift, limit).tolist() == expected.tolist()


@settings(max_examples=200)
@given(st.lists(st.integers(-INT16_MAX, INT16_MAX), min_size=2, max_size=40), st.integers(-6, 20))
def test_softmax(logits, bits):
    expected = int16_softmax.softmax(torch.tensor([logits], dtype=torch.float64), bits)
    assert softmax(np.array([logits]), bits + 6).tolist() == expected.tolist()


@given(st.lists(st.tuples(INT32, INT32, INT32), min_size=1), FACTOR, FACTOR, SHIFT, FACTOR, SHIFT)
def test_sgd(elements, momentum, rate, rate_shift, decay, decay_shift):
    columns = [np.array(column) for column in zip(*elements, strict=True)]
    factors = (momentum, rate, rate_shift, decay, decay_shift)
    weight, moment, gradient = (torch.from_numpy(column).double() for column in columns)
    step_(weight, moment, gradient, StepIntegers(*factors))
    masters, momenta = sgd_step(*columns, Factors(*factors))
    assert (masters.tolist(), momenta.tolist()) == (weight.tolist(), moment.tolist())


def test_sums_wrap_at_48_bits():
    values = np.array([2**47 - 1, 2**47, -(2**47), -(2**47) - 1, 2**48 + 5])
    assert wrapped(values).tolist() == [2**47 - 1, -(2**47), -(2**47), 2**47 - 1, 5]
