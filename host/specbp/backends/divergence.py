"""What ends a training that has diverged, or that cannot learn: the step, and the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from specbp.network import Network, Weights

LARGEST_SATURATED_SHARE = 0.01
"""Share of a layer's int16 weights that may stand at the limit of the format.

On digits, trainings that came to 94% had up to 0.5% there, those that fell apart had 1.6% and more.
"""
CURE = "the training has diverged, lower the learning rate"


def require_finite_loss(loss: float, step: int) -> None:
    """Reject the `loss` of a training step that is infinite or not a number.

    Raises:
        FloatingPointError: it is.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {_words(loss)} at step {step}: {CURE}")


def require_finite_test_losses(losses: Tensor, steps: int) -> None:
    """Reject losses of test samples that are infinite or not a number: they have no class.

    Args:
        losses: losses of some test samples, [samples].
        steps: training steps done.

    Raises:
        FloatingPointError: at least one is.
    """
    if not bool(losses.isfinite().all()):
        broken = float(losses[~losses.isfinite()][0])
        raise FloatingPointError(
            f"the loss of test samples is {_words(broken)} after {steps} steps: {CURE}"
        )


def require_sound_weights(
    network: Network, weights: Sequence[Weights], limit: float, steps: int
) -> None:
    """Reject weights that are infinite, not a number, or at the limit of their format.

    Args:
        network: the chain of layers.
        weights: weights of each layer with weights, in forward order, as they are trained.
        limit: magnitude at which a weight is cut off; infinite where none is.
        steps: training steps done.

    Raises:
        FloatingPointError: a weight is not finite, or more than `LARGEST_SATURATED_SHARE` of a
            layer's weights are cut off.
    """
    for layer, pair in zip(network.trained, weights, strict=True):
        if not all(bool(part.isfinite().all()) for part in pair):
            raise FloatingPointError(
                f"weights of {layer.name} are not finite after {steps} steps: {CURE}"
            )
        cut_off = sum(int((part.abs() >= limit).sum()) for part in pair)
        share = cut_off / sum(part.numel() for part in pair)
        if share > LARGEST_SATURATED_SHARE:
            raise FloatingPointError(
                f"{share:.0%} of the weights of {layer.name} are at the limit of the number format "
                f"after {steps} steps: {CURE}"
            )


def require_movement(sha256: str, initial_sha256: str, steps: int, learning_rate: float) -> None:
    """Reject a training in which no weight has moved.

    Args:
        sha256: SHA-256 of the weights as they are.
        initial_sha256: SHA-256 of the weights before the first step, in the same format.
        steps: training steps done.
        learning_rate: peak learning rate of the training.

    Raises:
        FloatingPointError: the weights are what they were.
    """
    if steps and sha256 == initial_sha256:
        raise FloatingPointError(
            f"no weight has moved in {steps} steps: learning_rate = {learning_rate:g} is too small "
            "for the number format, or no sample had a backward"
        )


def _words(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite"
