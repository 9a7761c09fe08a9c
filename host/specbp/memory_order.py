"""Images and kernels whose channels lie together in memory, seen in the order they lie in."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_together(one: Tensor) -> bool:
    """Return whether the channels of images or kernels lie together in memory."""
    return (
        one.dim() == 4
        and one.is_contiguous(memory_format=torch.channels_last)
        and not one.is_contiguous()
    )


def in_memory_order(one: Tensor) -> Tensor:
    """Return a view whose dimensions come as they lie in memory, so that nothing is copied for it.

    PyTorch's row copies bring images whose channels lie together into its default order, slowly;
    its SGD copies kernels that are not contiguous before and after.
    """
    return one.permute(0, 2, 3, 1) if channels_together(one) else one
