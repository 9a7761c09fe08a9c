"""Ranges of memory, (offset, bytes) each, whose contents travel one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def gathered(memory: NDArray[np.uint8], ranges: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Return the bytes of `ranges` of `memory`."""
    parts = [memory[offset : offset + length] for offset, length in ranges]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def scatter(
    memory: NDArray[np.uint8], ranges: Sequence[tuple[int, int]], content: NDArray[np.uint8]
) -> None:
    """Write the bytes `content` into `ranges` of `memory`."""
    start = 0
    for offset, length in ranges:
        memory[offset : offset + length] = content[start : start + length]
        start += length
