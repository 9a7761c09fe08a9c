"""A compiled program: descriptors, what they are part of, and where the tensors lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.compiler.emitter import Emitter, SkipEnd, Tag, Tagged
from specbp.overlay.compiler.maps import NetworkMaps
from specbp.overlay.compiler.memory_map import MemoryMap
from specbp.overlay.compiler.ordering import ordered
from specbp.overlay.compiler.stages import Stage, Weighted
from specbp.overlay.instructions import (
    Descriptor,
    End,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Sgd,
    Store,
    encode,
)
from specbp.overlay.parameters import Parameters


@dataclass(frozen=True)
class Update:
    """A descriptor whose factors a host writes before each step.

    Attributes:
        core: number of the core.
        position: position of the descriptor in the program.
        layer: name of the layer.
        bias: whether it updates the bias, not the weight.
    """

    core: int
    position: int
    layer: str
    bias: bool


@dataclass(frozen=True)
class Compiled:
    """A program for one batch.

    Attributes:
        programs: descriptors of each core, each with what it is part of; END is the last.
        memory: where the tensors lie.
        stages: what the network was lowered to.
        samples: samples of the batch.
        parameters: parameters of the overlay it runs on.
    """

    programs: tuple[tuple[Tagged, ...], ...]
    memory: MemoryMap
    stages: tuple[Stage, ...]
    samples: int
    parameters: Parameters

    @property
    def tagged(self) -> tuple[Tagged, ...]:
        """The program of the first core."""
        return self.programs[0]

    @property
    def descriptors(self) -> list[Descriptor]:
        """The program of the first core, without what it is part of."""
        return [one.descriptor for one in self.tagged]

    @property
    def words(self) -> NDArray[np.uint32]:
        """The program of the first core as the overlay reads it."""
        return encode(self.descriptors)

    @property
    def weighted(self) -> list[Weighted]:
        """The stages with weights, in forward order."""
        return [stage for stage in self.stages if isinstance(stage, Weighted)]

    def at(self, base: int) -> Compiled:
        """Return the same program for tensors that lie from `base` on, a multiple of 64."""
        by = base - self.memory.base
        programs = tuple(
            tuple(Tagged(_moved(one.descriptor, by), one.tag) for one in program)
            for program in self.programs
        )
        return replace(self, programs=programs, memory=self.memory.at(base))

    def updates(self) -> Iterator[Update]:
        """Yield what needs new factors when the learning rate changes."""
        for core, program in enumerate(self.programs):
            for position, one in enumerate(program):
                if isinstance(one.descriptor, Sgd):
                    yield Update(core, position, one.tag.layer, one.tag.work == "bias update")

    def gate(self) -> tuple[int, int] | None:
        """Return core and position of the GATE, whose limit a host writes; None without one."""
        for core, program in enumerate(self.programs):
            for position, one in enumerate(program):
                if isinstance(one.descriptor, Gate):
                    return core, position
        return None


def compiled(emitters: Sequence[Emitter], maps: NetworkMaps, parameters: Parameters) -> Compiled:
    """Return what the emitters of the cores have, in order and with its end."""

    def finished(emitter: Emitter) -> tuple[Tagged, ...]:
        last = emitter.program[-1] if emitter.program else None
        tag = last.tag if isinstance(last, Tagged) else Tag("", "")
        end = Tagged(End(), replace(tag, tile=""))
        unordered: list[Tagged | SkipEnd] = [*emitter.program, end]
        return tuple(ordered(unordered, parameters, maps.memory))

    programs = tuple(finished(emitter) for emitter in emitters)
    return Compiled(programs, maps.memory, tuple(maps.stages), maps.samples, parameters)


def _moved(descriptor: Descriptor, by: int) -> Descriptor:
    if isinstance(descriptor, Load | LoadTransposed | LoadIndex | Store):
        return replace(descriptor, address=descriptor.address + by)
    return descriptor
