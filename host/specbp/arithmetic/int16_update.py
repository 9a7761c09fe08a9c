"""The SGD step of the overlay: int32 master weights and momenta, factors of 15 bits."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from specbp.arithmetic import UpdateRule
from specbp.arithmetic.fixed_point import (
    INT32_MAX,
    LARGEST_SHIFT,
    MULTIPLIER_BITS,
    multiplier,
    requantise_,
)
from specbp.errors import UsageError


@dataclass(frozen=True)
class StepIntegers:
    """The numbers of one SGD step for one tensor, as the hardware gets them.

    Attributes:
        momentum: momentum in steps of 2^-15; 0 to 2^15 - 1.
        rate: mantissa of learning rate over batch size; 0 to 2^15 - 1.
        rate_shift: bits dropped from momentum times `rate`, to the scale of the weight.
        decay: mantissa of weight decay times batch size; 0 to 2^15 - 1.
        decay_shift: bits dropped from weight times `decay`, to the scale of the momentum.
    """

    momentum: int
    rate: int
    rate_shift: int
    decay: int
    decay_shift: int

    def require_effect(self, rule: UpdateRule) -> None:
        """Reject numbers of `rule` that are above 0 and became 0.

        Raises:
            UsageError: there is one; the message names it.
        """
        for name, integer in (
            ("learning_rate", self.rate),
            ("momentum", self.momentum),
            ("weight_decay", self.decay),
        ):
            if getattr(rule, name) and not integer:
                raise UsageError(
                    f"{name} = {getattr(rule, name):g} is too small for int16 arithmetic, in which "
                    "it is 0: raise it, or take float32"
                )


def step_integers(
    rule: UpdateRule, batch_size: int, weight_bits: int, gradient_bits: int
) -> StepIntegers:
    """Return the integers of `rule` for one tensor.

    Gradients are summed over the batch, so the rate is divided by its size, and the decay
    multiplied.

    Args:
        rule: the real numbers of the step.
        batch_size: samples whose gradients are summed.
        weight_bits: fraction bits of the master weight.
        gradient_bits: fraction bits of gradient and momentum.

    Raises:
        UsageError: a factor is too large for the scales.
    """
    momentum = min(int(rule.momentum * 2**MULTIPLIER_BITS + 0.5), 2**MULTIPLIER_BITS - 1)
    offset = gradient_bits - weight_bits
    return StepIntegers(
        momentum,
        *_factor("learning_rate / batch_size", rule.learning_rate / batch_size, offset),
        *_factor("weight_decay * batch_size", rule.weight_decay * batch_size, -offset),
    )


def _factor(name: str, value: float, offset: int) -> tuple[int, int]:
    """Return mantissa and shift of a factor between scales that are `offset` bits apart."""
    factor = multiplier(value)
    shift = factor.exponent + offset
    if not factor.mantissa or shift > LARGEST_SHIFT:
        return 0, 0
    if shift < 0:
        raise UsageError(f"{name} = {value:g} is too large for the scales of int16 arithmetic")
    return factor.mantissa, shift


def step_(weight: Tensor, momentum: Tensor, gradient: Tensor, numbers: StepIntegers) -> None:
    """Do one SGD step in the memory of `weight` and `momentum`.

    Args:
        weight: master, int32 values in float64.
        momentum: momentum buffer, in the shape of the weights.
        gradient: gradient, in the shape of the weights and at the scale of `momentum`.
        numbers: learning rate and momentum of this step.
    """
    requantise_(momentum.mul_(numbers.momentum), MULTIPLIER_BITS, INT32_MAX).add_(gradient)
    if numbers.decay:
        momentum.add_(requantise_(weight * numbers.decay, numbers.decay_shift, INT32_MAX))
    momentum.clamp_(-INT32_MAX, INT32_MAX)
    step = requantise_(momentum * numbers.rate, numbers.rate_shift, INT32_MAX)
    weight.sub_(step).clamp_(-INT32_MAX, INT32_MAX)
