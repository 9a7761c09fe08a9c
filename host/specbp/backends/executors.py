"""What runs a program of the overlay: the interpreter, or the overlay itself through pynq."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.compiler import Compiled
from specbp.overlay.compiler.memory_map import Name
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.isa import SGD_FACTOR_WORDS, Descriptor, Factors, Mac, Sgd, encode
from specbp.overlay.parameters import Parameters

SPARE_MEMORY = 1 << 20
"""Bytes beyond tensors and programs that a simulated board has."""
LEAST_DEADLINE_S = 60.0
SLOWEST_CYCLES_PER_S = 50_000
"""What simulates fewer cycles in a second counts as hung."""


class Program:
    """A compiled program, whose factors change from step to step.

    Args:
        compiled: the program.
        given: names of the tensors that the host writes before each run.
        shown: names of the tensors that the host reads after each run.

    Attributes:
        descriptors: as they are now.
        words: likewise, uint32 [descriptors, 16].
        given: where in memory `given` lies, as (offset, bytes).
        shown: likewise, `shown`.
        products: how many cycles multiply, which is how long it takes at least.
    """

    def __init__(
        self, compiled: Compiled, given: Sequence[Name] = (), shown: Sequence[Name] = ()
    ) -> None:
        self.descriptors: list[Descriptor] = compiled.descriptors
        self.words = encode(self.descriptors)
        self.given, self.shown = _ranges(compiled, given), _ranges(compiled, shown)
        self.products = sum(
            math.prod(loop.count for loop in one.loops)
            for one in self.descriptors
            if isinstance(one, Mac)
        )

    def set_factors(self, position: int, factors: Factors) -> None:
        """Put `factors` into the SGD descriptor at `position`."""
        descriptor = self.descriptors[position]
        assert isinstance(descriptor, Sgd)
        if descriptor.factors != factors:
            self.descriptors[position] = replace(descriptor, factors=factors)
            self.words[position, SGD_FACTOR_WORDS] = factors.words


class Executor(Protocol):
    """Runs programs on memory that it hands out."""

    @property
    def clock_mhz(self) -> float | None:
        """The clock of the overlay, None where there is none."""
        ...

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return the physical address and the host's view of `size` bytes of zeros."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """Columns of the frame `runs` that say what ran the programs."""
        ...

    def run(self, program: Program) -> int | None:
        """Run `program`; return its clock cycles, None where there is no clock.

        The overlay sees of the host's writes at least those to ``program.given``, and the host
        afterwards at least ``program.shown``. All else needs `push` and `pull`.
        """
        ...

    def push(self) -> None:
        """Bring all that the host has written to the overlay."""
        ...

    def pull(self) -> None:
        """Bring all that the overlay has written to the host."""
        ...

    def close(self) -> None:
        """Give memory back."""
        ...


class InterpreterExecutor:
    """Runs programs on numpy, and finds races while it does.

    Args:
        parameters: of the overlay.
        detect_races: whether to look for races.
    """

    BASE = 1 << 28

    def __init__(self, parameters: Parameters, detect_races: bool = False) -> None:
        self._parameters = parameters
        self._detect_races = detect_races
        self._interpreter: Interpreter | None = None

    @property
    def clock_mhz(self) -> None:
        """There is none."""

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory; once."""
        memory = np.zeros(size, np.uint8)
        self._interpreter = Interpreter(self._parameters, memory, self.BASE, self._detect_races)
        return self.BASE, memory

    def run(self, program: Program) -> None:
        """Run `program`."""
        assert self._interpreter is not None
        self._interpreter.run(program.descriptors)

    @property
    def about(self) -> Mapping[str, Any]:
        """It is simulated."""
        return {"simulated": True, "board": "interpreter"}

    def push(self) -> None:
        """Do nothing: there is one memory."""

    def pull(self) -> None:
        """Do nothing: there is one memory."""

    def close(self) -> None:
        """Do nothing."""


class SimulatedExecutor:
    """Runs programs on the Verilated overlay, through pynq and the driver that a board has too.

    Args:
        parameters: of the overlay.
        memory_bytes: for the tensors and programs together.

    Attributes:
        device: the simulated board.
    """

    def __init__(self, parameters: Parameters, memory_bytes: int) -> None:
        from specbp.boards.simulated import SimulatedDevice
        from specbp.overlay.quiet import pynq_imports

        with pynq_imports():
            import pynq

        self.device = SimulatedDevice(parameters, memory_bytes=memory_bytes + SPARE_MEMORY)
        self._driver = pynq.Overlay(self.device.bitstream, device=self.device).specbp_0
        self._driver.require(parameters)
        self._buffers: list[Any] = []

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as it is set."""
        self.device.activate()
        return float(self._driver.clock_hz) / 1e6

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory of the simulated board."""
        buffer = self._driver.allocate(size)
        buffer[:] = 0
        self._buffers.append(buffer)
        return buffer.device_address, np.asarray(buffer)

    def run(self, program: Program) -> int:
        """Run `program`."""
        self.device.activate()
        for buffer in self._buffers:
            buffer.flush()
        done = self._driver.run(program.words, self._buffers, deadline_s(program))
        for buffer in self._buffers:
            buffer.invalidate()
        cycles: int = done.cycles
        return cycles

    @property
    def about(self) -> Mapping[str, Any]:
        """It is simulated."""
        return {"simulated": True, "board": self.device.name}

    def push(self) -> None:
        """Do nothing: `run` brings everything."""

    def pull(self) -> None:
        """Do nothing: `run` brings everything back."""

    def close(self) -> None:
        """End the simulation."""
        self.device.close()


def deadline_s(program: Program) -> float:
    """Return how long a run of `program` may take, wall time; simulations are slow."""
    return LEAST_DEADLINE_S + program.products / SLOWEST_CYCLES_PER_S


def memory_needed(programs: Sequence[Compiled]) -> int:
    """Return the bytes for `programs` that share their tensors, and for one of them as words."""
    tensors = max(one.memory.size for one in programs)
    return tensors + max(64 * len(one.tagged) for one in programs)


def _ranges(compiled: Compiled, names: Sequence[Name]) -> list[tuple[int, int]]:
    places = (compiled.memory.places[name] for name in names)
    return [(place.address - compiled.memory.base, place.size) for place in places]
