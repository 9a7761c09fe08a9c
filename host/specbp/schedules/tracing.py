"""Replaying tensor operations without Python in between."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]


def traced(function: Callable[..., Tensors], arguments: Tensors) -> Callable[..., Tensors]:
    """Run `function` on tensors once, and return what does the same operations on others.

    They are the same to the bit, but one call, without Python in between, so that two engines do
    not wait for each other's interpreter.

    `torch.jit.trace` is deprecated in favour of `torch.compile`, but that would change the bits,
    by fusing operations, and take minutes; recording takes milliseconds and replays the same
    kernels. Where PyTorch has it no longer, `function` itself is returned.

    Args:
        function: does the same operations whatever the values in its arguments.
        arguments: of the shapes that all calls will have.
    """
    trace = getattr(torch.jit, "trace", None)
    if trace is None:
        return function
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        recorded: Callable[..., Tensors] = trace(function, arguments, check_trace=False)
    return recorded
