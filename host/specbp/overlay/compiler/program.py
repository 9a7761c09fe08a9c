"""A compiled program: descriptors, what they are part of, and where the tensors lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.compiler.emitter import Tagged
from specbp.overlay.compiler.memory_map import MemoryMap
from specbp.overlay.compiler.stages import Stage, Weighted
from specbp.overlay.isa import Descriptor, Load, LoadTransposed, Sgd, Store, encode
from specbp.overlay.parameters import Parameters


@dataclass(frozen=True)
class Update:
    """A descriptor whose factors a host writes before each step.

    Attributes:
        position: in the program.
        layer: name of the layer.
        bias: whether it updates the bias, not the weight.
    """

    position: int
    layer: str
    bias: bool


@dataclass(frozen=True)
class Compiled:
    """A program for one batch.

    Attributes:
        tagged: descriptors, each with what it is part of; END is the last.
        memory: where the tensors lie.
        stages: what the network was lowered to.
        samples: of the batch.
        parameters: of the overlay it runs on.
    """

    tagged: tuple[Tagged, ...]
    memory: MemoryMap
    stages: tuple[Stage, ...]
    samples: int
    parameters: Parameters

    @property
    def descriptors(self) -> list[Descriptor]:
        """The program."""
        return [one.descriptor for one in self.tagged]

    @property
    def words(self) -> NDArray[np.uint32]:
        """The program as the overlay reads it."""
        return encode(self.descriptors)

    @property
    def weighted(self) -> list[Weighted]:
        """The stages with weights, in forward order."""
        return [stage for stage in self.stages if isinstance(stage, Weighted)]

    def at(self, base: int) -> Compiled:
        """Return the same program for tensors that lie from `base` on, a multiple of 64."""
        by = base - self.memory.base
        tagged = tuple(Tagged(_moved(one.descriptor, by), one.tag) for one in self.tagged)
        return replace(self, tagged=tagged, memory=self.memory.at(base))

    def updates(self) -> Iterator[Update]:
        """Yield what needs new factors when the learning rate changes."""
        for position, one in enumerate(self.tagged):
            if isinstance(one.descriptor, Sgd):
                yield Update(position, one.tag.layer, one.tag.work == "bias update")


def _moved(descriptor: Descriptor, by: int) -> Descriptor:
    if isinstance(descriptor, Load | LoadTransposed | Store):
        return replace(descriptor, address=descriptor.address + by)
    return descriptor
