"""Where every tensor of a program lies in memory.

What a host sees of it is numpy arrays, views of the memory without a copy, by the name of the
layer and of the tensor.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64
"""Of every tensor, bytes: a descriptor, and a granule of `specbp.overlay.compiler.ordering`."""

Name: TypeAlias = tuple[str, str]
"""(layer, tensor)."""


@dataclass(frozen=True)
class Place:
    """A tensor in memory.

    Attributes:
        address: physical address.
        shape: shape of the array, with what it is filled up with.
        dtype: int16 or int32.
    """

    address: int
    shape: tuple[int, ...]
    dtype: DTypeLike

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class MemoryMap:
    """Hands out memory from a physical address on.

    Args:
        base: the address, a multiple of 64.

    Attributes:
        base: the address.
        places: where each tensor lies.
    """

    def __init__(self, base: int) -> None:
        assert base % ALIGNMENT == 0
        self.base = base
        self.places: dict[Name, Place] = {}
        self._next = base
        self._taken: list[Place] = []

    @property
    def size(self) -> int:
        """Bytes handed out."""
        return self._next - self.base

    def take(self, layer: str, tensor: str, shape: tuple[int, ...], dtype: DTypeLike) -> int:
        """Return the address of a new tensor, which is zero when a program runs first."""
        place = Place(self._next, shape, dtype)
        assert (layer, tensor) not in self.places, (layer, tensor)
        self.places[layer, tensor] = place
        self._taken.append(place)
        self._next += -(-place.size // ALIGNMENT) * ALIGNMENT
        return place.address

    def at(self, base: int) -> MemoryMap:
        """Return the same map from another address on."""
        moved = MemoryMap(base)
        moved._next = base + self.size
        by = base - self.base
        moved.places = {
            name: replace(place, address=place.address + by) for name, place in self.places.items()
        }
        return moved

    def extent(self, address: int) -> tuple[int, int]:
        """Return the first byte of the tensor that `address` lies in, and one past its last."""
        place = self._taken[bisect_right(self._taken, address, key=lambda one: one.address) - 1]
        return place.address, place.address + place.size

    def alias(self, layer: str, tensor: str, address: int) -> None:
        """Let the tensor at `address` be found under another name, too."""
        place = next(place for place in self.places.values() if place.address == address)
        self.places[layer, tensor] = place

    def view(self, memory: NDArray[np.uint8], layer: str, tensor: str) -> NDArray[Any]:
        """Return a tensor in `memory`, whose first byte lies at `base`."""
        place = self.places[layer, tensor]
        start = place.address - self.base
        content = memory[start : start + place.size]
        return content.view(place.dtype).reshape(place.shape)
