"""Finds the first difference between two executions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specbp.lockstep.sides import Side
from specbp.overlay.tensors import NamedTensor


@dataclass(frozen=True)
class Difference:
    """The first element of the first tensor in which two sides differ.

    Attributes:
        step: number of the step, from 0.
        layer: name of the layer.
        tensor: name of the tensor.
        index: index of the element, in PyTorch's order of dimensions.
        values: values of both sides.
        count: how many elements of the tensor differ.
        size: how many it has.
    """

    step: int
    layer: str
    tensor: str
    index: tuple[int, ...]
    values: tuple[int, int]
    count: int
    size: int

    def __str__(self) -> str:
        index = ", ".join(map(str, self.index))
        return (
            f"step {self.step}, layer {self.layer}: {self.tensor}[{index}] is "
            f"{self.values[0]} and {self.values[1]}; "
            f"{self.count} of {self.size} elements differ"
        )


@dataclass(frozen=True)
class Progress:
    """What has been compared so far: steps, tensors, and elements of them."""

    steps: int
    tensors: int
    elements: int


def compare(first: Side, second: Side, steps: int) -> Iterator[Difference | Progress]:
    """Run two sides step by step.

    Yields:
        A `Progress` after each step in which all is the same; at the first difference that, and
        nothing more.
    """
    tensors = elements = 0
    for number in range(steps):
        for one, other in zip(first.step(number), second.step(number), strict=True):
            difference = _difference(number, one, other)
            if difference is not None:
                yield difference
                return
            tensors, elements = tensors + 1, elements + one.values.size
        yield Progress(number + 1, tensors, elements)


def _difference(step: int, one: NamedTensor, other: NamedTensor) -> Difference | None:
    assert (one.layer, one.tensor) == (other.layer, other.tensor), (one, other)
    assert one.values.shape == other.values.shape, (one.layer, one.tensor)
    differs = one.values != other.values
    count = int(differs.sum())
    if not count:
        return None
    index = tuple(int(place) for place in np.argwhere(differs)[0])
    values = int(one.values[index]), int(other.values[index])
    return Difference(step, one.layer, one.tensor, index, values, count, one.values.size)
