"""What runs a program of the overlay: the interpreter, or the overlay itself through pynq."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.compiler import Compiled
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.isa import SGD_FACTOR_WORDS, Descriptor, Factors, Mac, Sgd, encode
from specbp.overlay.parameters import Parameters

if TYPE_CHECKING:
    from specbp.boards.build import Kind
    from specbp.overlay.driver import Run

SPARE_MEMORY = 1 << 20
"""Bytes beyond tensors and programs that a simulated board has."""
LEAST_DEADLINE_S = 60.0
SLOWEST_CYCLES_PER_S = 50_000
"""What simulates fewer cycles in a second counts as hung."""


class Program:
    """A compiled program, whose factors change from step to step.

    Args:
        compiled: the program.

    Attributes:
        descriptors: as they are now.
        words: likewise, uint32 [descriptors, 16].
        products: how many cycles multiply, which is how long it takes at least.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.descriptors: list[Descriptor] = compiled.descriptors
        self.words = encode(self.descriptors)
        self.products = _products(self.descriptors)

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

    def run(self, program: Program) -> int | None:
        """Run `program`; return its clock cycles, None where there is no clock."""
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

    def close(self) -> None:
        """Do nothing."""


class SimulatedExecutor:
    """Runs programs on the Verilated overlay, through pynq and the driver that a board has too.

    Args:
        parameters: of the overlay.
        memory_bytes: for the tensors and programs together.
        kind: the build of the model: fast, trace or coverage.

    Attributes:
        device: the simulated board.
    """

    def __init__(self, parameters: Parameters, memory_bytes: int, kind: Kind = "fast") -> None:
        from specbp.boards.simulated import SimulatedDevice
        from specbp.overlay.quiet import pynq_imports

        with pynq_imports():
            import pynq

        self.device = SimulatedDevice(
            parameters, memory_bytes=memory_bytes + SPARE_MEMORY, kind=kind
        )
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
        deadline_s = LEAST_DEADLINE_S + program.products / SLOWEST_CYCLES_PER_S
        cycles: int = self._run(program.words, deadline_s).cycles
        return cycles

    def measure(self, descriptors: Sequence[Descriptor]) -> Run:
        """Run any program and return all that the overlay counts."""
        products = _products(descriptors)
        return self._run(encode(descriptors), LEAST_DEADLINE_S + products / SLOWEST_CYCLES_PER_S)

    def _run(self, words: NDArray[np.uint32], deadline_s: float) -> Run:
        self.device.activate()
        for buffer in self._buffers:
            buffer.flush()
        done: Run = self._driver.run(words, self._buffers, deadline_s)
        for buffer in self._buffers:
            buffer.invalidate()
        return done

    def close(self) -> None:
        """End the simulation."""
        self.device.close()


def memory_needed(programs: Sequence[Compiled]) -> int:
    """Return the bytes for `programs` that share their tensors, and for one of them as words."""
    tensors = max(one.memory.size for one in programs)
    return tensors + max(64 * len(one.tagged) for one in programs)


def _products(descriptors: Sequence[Descriptor]) -> int:
    """Return the cycles in which `descriptors` multiply."""
    return sum(
        math.prod(loop.count for loop in one.loops) for one in descriptors if isinstance(one, Mac)
    )
