"""Windows seen from below: which windows lie on an input position, along one dimension.

Window i has its tap k on input i * stride + k - padding. The inputs p that are equal modulo the
stride form a *phase*: on its u-th input, p = first + u * stride, lie the windows start + u + m
with their taps k = last - m * stride, for m from 0 to taps - 1. Windows outside the output count
as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from specbp.overlay.compiler.shapes import Window


@dataclass(frozen=True)
class Phase:
    """One phase of one dimension.

    Attributes:
        first: the first input position.
        count: how many input positions it has.
        step: from one to the next: the stride.
        start: the first window on its first position; may be negative.
        taps: how many windows lie on each position.
        last: the tap with which the first of them does.
    """

    first: int
    count: int
    step: int
    start: int
    taps: int
    last: int

    def tap(self, number: int) -> int:
        """Return with which tap the window `number` lies on a position."""
        return self.last - number * self.step


def phases(window: Window, dimension: int, inputs: int) -> list[Phase]:
    """Return the phases of `inputs` positions; without taps where no window reaches."""
    kernel, stride, padding = (
        window.kernel[dimension],
        window.stride[dimension],
        window.padding[dimension],
    )
    found = []
    for first in range(min(stride, inputs)):
        least = (first + padding) % stride
        taps = max(0, -(-(kernel - least) // stride))
        last = least + (taps - 1) * stride
        start = (first + padding - last) // stride
        count = -(-(inputs - first) // stride)
        found.append(Phase(first, count, stride, start, taps, last))
    return found
