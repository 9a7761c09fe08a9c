"""The SGD step of the overlay against Python's integers, and against real SGD."""

from fractions import Fraction

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.int16_update import StepIntegers, step_, step_integers
from specbp.errors import UsageError

INT32 = 2**31 - 1
int32 = st.integers(-INT32, INT32)
factors = st.integers(0, 2**15 - 1)
shifts = st.integers(0, 47)


def saturated(value):
    return min(INT32, max(-INT32, value))


def shifted(value, shift):
    return saturated((value + (1 << (shift - 1))) >> shift if shift else value)


def slow_step(weight, momentum, gradient, numbers):
    kept = shifted(numbers.momentum * momentum, 15)
    decay = shifted(numbers.decay * weight, numbers.decay_shift)
    momentum = saturated(kept + gradient + decay)
    return saturated(weight - shifted(numbers.rate * momentum, numbers.rate_shift)), momentum


@settings(max_examples=300)
@given(int32, int32, int32, st.builds(StepIntegers, factors, factors, shifts, factors, shifts))
@example(INT32, INT32, INT32, StepIntegers(2**15 - 1, 2**15 - 1, 0, 2**15 - 1, 0))
@example(-INT32, -INT32, -INT32, StepIntegers(2**15 - 1, 2**15 - 1, 47, 2**15 - 1, 47))
def test_a_step_agrees_to_the_bit_with_integers(weight, momentum, gradient, numbers):
    tensors = [torch.tensor([one]).double() for one in (weight, momentum, gradient)]
    step_(*tensors, numbers)
    expected = slow_step(weight, momentum, gradient, numbers)
    assert (int(tensors[0]), int(tensors[1])) == expected


@given(
    st.floats(1e-5, 1.0), st.floats(0, 0.999), st.floats(1e-6, 0.1),
    st.integers(1, 512), st.integers(24, 31), st.integers(17, 30),
)  # fmt: skip
def test_the_integers_are_those_of_the_rule(rate, momentum, decay, batch, weight_bits, bits):
    numbers = step_integers(UpdateRule(rate, momentum, decay), batch, weight_bits, bits)
    per_sum = Fraction(rate / batch) * Fraction(2) ** (weight_bits - bits)
    assert_near(Fraction(numbers.rate, 2**numbers.rate_shift), per_sum)
    summed = Fraction(decay * batch) * Fraction(2) ** (bits - weight_bits)
    assert_near(Fraction(numbers.decay, 2**numbers.decay_shift), summed)
    assert abs(Fraction(numbers.momentum, 2**15) - Fraction(momentum)) <= Fraction(1, 2**16)


def assert_near(actual, expected):
    """Equal to 15 bits; 0 only where a step could not change any int32 value."""
    if actual:
        assert abs(actual - expected) <= expected / 2**15
    else:
        assert expected < Fraction(1, 2**32)


def test_a_momentum_next_to_one_stays_below_it():
    assert step_integers(UpdateRule(0.1, 0.99999, 0.0), 1, 30, 20).momentum == 2**15 - 1


def test_a_rate_of_zero_changes_nothing():
    numbers = step_integers(UpdateRule(0.0, 0.5, 0.0), 4, 30, 20)
    weight, momentum, gradient = (torch.tensor([9.0]).double() for _ in range(3))
    step_(weight, momentum, gradient, numbers)
    assert int(weight) == 9


def test_a_rate_beyond_the_scales_is_refused():
    with pytest.raises(UsageError, match="learning_rate / batch_size"):
        step_integers(UpdateRule(1e6, 0.0, 0.0), 1, 30, 10)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_many_steps_stay_close_to_real_sgd(momentum, decay):
    generator = torch.Generator().manual_seed(1)
    rule, batch, weight_bits, bits = UpdateRule(0.05, momentum, decay), 8, 28, 20
    real = torch.randn(50, generator=generator).double() / 8
    optimised = real.clone().requires_grad_()
    optimizer = torch.optim.SGD([optimised], lr=0.05, momentum=momentum, weight_decay=decay)
    weight, state = torch.round(real * 2**weight_bits), torch.zeros(50).double()
    numbers = step_integers(rule, batch, weight_bits, bits)
    for _ in range(100):
        gradient = torch.randn(50, generator=generator).double() / 4
        optimised.grad = gradient.clone()
        optimizer.step()
        step_(weight, state, torch.round(gradient * batch * 2**bits), numbers)
    assert (weight / 2**weight_bits - optimised.detach()).abs().max() < 1e-3
