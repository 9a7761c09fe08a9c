"""Predicts how many clock cycles programs take, on one core or on two, without hardware.

Each core is a `CoreModel`; of two, whichever is behind goes on, since they share semaphores and the
memory's bandwidth. What a SKIP skips depends on how many samples the gate rejects.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from specbp.overlay.compiler.emitter import Tag, Tagged
from specbp.overlay.compiler.program import Compiled
from specbp.overlay.core_cycles import CoreModel, Event
from specbp.overlay.hwh import CLOCK_MHZ
from specbp.overlay.instructions import Descriptor, Skip
from specbp.overlay.parameters import Parameters
from specbp.overlay.port_cycles import Bandwidth
from specbp.overlay.timing import MemoryTiming

__all__ = ["CoreCycles", "PassCycles", "Prediction", "predict", "predict_descriptors"]


@dataclass(frozen=True)
class PassCycles:
    """What a pass takes.

    Attributes:
        tag: layer and work.
        cycles: from the last iteration of the pass before to its own; the last pass has all that
            follows, too.
        products: cycles in which the lanes multiply.
    """

    tag: Tag
    cycles: int
    products: int


@dataclass(frozen=True)
class CoreCycles:
    """Clock cycles of a core.

    Attributes:
        total: cycles of the whole program.
        passes: cycles of each pass, in program order; they add up to `total`.
        events: events of each descriptor that was not skipped, in program order.
    """

    total: int
    passes: tuple[PassCycles, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Prediction:
    """Clock cycles of a step.

    Attributes:
        cores: prediction of each core.
    """

    cores: tuple[CoreCycles, ...]

    @property
    def total(self) -> int:
        """Until the last core has ended."""
        return max(core.total for core in self.cores)

    @property
    def passes(self) -> tuple[PassCycles, ...]:
        """Of all cores, one after the other."""
        return tuple(one for core in self.cores for one in core.passes)


def predict(
    compiled: Compiled,
    timing: MemoryTiming | None = None,
    clock_mhz: float = CLOCK_MHZ,
    rejects: int = 0,
) -> Prediction:
    """Predict the cycles of compiled programs.

    Args:
        compiled: the programs.
        timing: timing of the memory; that of the simulated boards unless given.
        clock_mhz: clock of the overlay, MHz.
        rejects: how many samples the gate rejects, where there is one.
    """
    timing = timing or MemoryTiming()
    shared: dict[int, deque[float]] = {}
    bandwidth = None
    if len(compiled.programs) > 1:
        bandwidth = Bandwidth(timing.at(clock_mhz * 1e6).bytes_per_cycle)
    running = [
        _PredictedCore(
            program,
            CoreModel(compiled.parameters, timing, clock_mhz, len(program), shared, bandwidth),
            rejects,
        )
        for program in compiled.programs
    ]
    while True:
        able = [one for one in running if not one.ended and not one.waits]
        if not able:
            assert all(one.ended for one in running), "both cores wait"
            return Prediction(tuple(one.result() for one in running))
        min(able, key=lambda one: one.model.dispatched).step()


def predict_descriptors(
    program: Sequence[Descriptor],
    parameters: Parameters,
    timing: MemoryTiming | None = None,
    clock_mhz: float = CLOCK_MHZ,
) -> int:
    """Predict the cycles of any program of one core in which nothing is skipped."""
    model = CoreModel(parameters, timing or MemoryTiming(), clock_mhz, len(program))
    for descriptor in program:
        model.append(descriptor)
    return math.ceil(model.complete)


@dataclass
class _PredictedCore:
    """A core's program in progress."""

    program: tuple[Tagged, ...]
    model: CoreModel
    rejects: int
    _position: int = 0
    _passes: list[PassCycles] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _done: int = 0
    _products: int = 0

    @property
    def ended(self) -> bool:
        return self._position >= len(self.program)

    @property
    def waits(self) -> bool:
        return self.model.waits(self.program[self._position].descriptor)

    def step(self) -> None:
        """Account for the next descriptor, and for those that it skips."""
        place = self._position
        descriptor = self.program[place].descriptor
        self._events.append(self.model.append(descriptor, place))
        self._products += descriptor.products
        self._close_pass(place)
        skipped = 0
        if isinstance(descriptor, Skip) and descriptor.skips(self.rejects):
            skipped = descriptor.count
        for dropped in range(place + 1, place + 1 + skipped):
            self.model.skip()
            self._close_pass(dropped)
        self._position = place + 1 + skipped

    def result(self) -> CoreCycles:
        return CoreCycles(self._done, tuple(self._passes), tuple(self._events))

    def _close_pass(self, place: int) -> None:
        following = self.program[place + 1 : place + 2]
        if following and following[0].tag.of_pass == self.program[place].tag.of_pass:
            return
        end = math.ceil(self.model.computed if following else self.model.complete)
        end = max(end, self._done)
        self._passes.append(PassCycles(self.program[place].tag, end - self._done, self._products))
        self._done, self._products = end, 0
