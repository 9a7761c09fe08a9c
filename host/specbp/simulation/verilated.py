"""The Verilated overlay: clock, registers' bus and memory behind plain calls."""

from __future__ import annotations

import ctypes
import functools
import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from specbp.overlay.timing import MemoryTiming
from specbp.simulation.build import Kind, build

RESPONSES = {2: "SLVERR", 3: "DECERR"}
NO_ANSWER = 4
_BUS_DEAD = 0xFFFFFFFF


class BusError(SpecbpError):
    """A register access was refused, or not answered."""


class ClosedModelError(SpecbpError):
    """A simulation was used after its end."""


class AxiViolationError(SpecbpError):
    """The overlay broke a rule of AXI: what it computed proves nothing about a board."""


class Model:
    """The simulated overlay and its memory.

    Not for several threads at once; several models may run in as many threads. After `close`
    everything but `close` raises `ClosedModelError`.

    Args:
        parameters: those of the overlay.
        memory_bytes: size of the memory.
        memory_base: physical address of the memory's first byte.
        kind: the build: fast or checked.

    Attributes:
        memory: the memory, shared with the simulation without a copy.
        parameters: those of the overlay.
    """

    def __init__(
        self,
        parameters: Parameters,
        memory_bytes: int,
        memory_base: int,
        kind: Kind = "fast",
    ) -> None:
        self.parameters = parameters
        self._library = _library(build(parameters, kind))
        self._mapped = mmap.mmap(-1, memory_bytes)
        self.memory: NDArray[np.uint8] = np.frombuffer(self._mapped, np.uint8)
        self._opened: int | None = self._library.specbp_open(
            self.memory.ctypes.data, memory_base, memory_bytes
        )
        self._read, self._write = self._library.specbp_read, self._library.specbp_write
        self._count_violations = self._library.specbp_violations
        self._violations_before = 0
        self.reset()

    def read(self, offset: int) -> int:
        """Return the register at `offset`.

        Raises:
            BusError: the bus answered with an error or not at all.
            AxiViolationError: the overlay broke a rule of AXI since it was reset last.
        """
        answer: int = self._read(self._model, offset)
        if self._count_violations(self._model) > self._violations_before:
            raise AxiViolationError(
                f"the simulated overlay broke the rules of AXI {self.violations} times: its "
                "results prove nothing about a board: mend the RTL, and look for the violation "
                "with specbp overlay waves"
            )
        if answer >> 32:
            raise BusError(f"read of register 0x{offset:03X}: {_said(answer >> 32)}")
        return answer

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`.

        Raises:
            BusError: the bus answered with an error or not at all.
        """
        response = self._write(self._model, offset, value)
        if response:
            raise BusError(f"write of register 0x{offset:03X}: {_said(response & _BUS_DEAD)}")

    def run(self, cycles: int) -> int:
        """Run until the interrupt is up, at most `cycles`; return the cycles that it ran."""
        ran: int = self._library.specbp_run(self._model, cycles)
        return ran

    @property
    def interrupt(self) -> bool:
        """Whether the interrupt is up."""
        return bool(self._library.specbp_interrupt(self._model))

    @property
    def cycles(self) -> int:
        """Clock cycles simulated so far."""
        count: int = self._library.specbp_cycles(self._model)
        return count

    @property
    def violations(self) -> int:
        """How often the overlay broke a rule of AXI or of the HP port; 0 in a sound design."""
        count: int = self._library.specbp_violations(self._model)
        return count

    def reset(self) -> None:
        """Reset the overlay, as programming the FPGA would; the memory keeps its content."""
        self._library.specbp_reset(self._model)
        self._violations_before = self.violations

    def set_timing(self, timing: MemoryTiming, clock_hz: float) -> None:
        """Make the memory answer as `timing` says, seen from a clock of `clock_hz`."""
        port = timing.at(clock_hz)
        self._library.specbp_timing(
            self._model,
            port.read_latency,
            port.write_latency,
            max(1, round(port.bytes_per_cycle * 256)),
            timing.outstanding,
        )

    def set_buffered_latency(self, cycles: int, all_writes: bool = False) -> None:
        """Acknowledge bufferable writes at once, and show them to other ports `cycles` later.

        Args:
            cycles: until others see them; 0 treats bufferable writes as all others.
            all_writes: whether every write counts as bufferable; else those with AWCACHE[0] set.
        """
        self._library.specbp_buffered(self._model, cycles, all_writes)

    def set_stalls(self, seed: int, chance: float) -> None:
        """Pause every memory channel of every port at random.

        In each cycle, with `chance`; 0 is never. Takes effect at once; the random
        numbers start anew at the next reset.
        """
        self._library.specbp_stalls(self._model, seed, min(255, round(chance * 256)))

    def add_fault(self, first: int, last: int, response: int) -> None:
        """Answer accesses to the addresses `first` to `last` with `response`.

        Args:
            first: physical address of the first byte.
            last: physical address of the last byte.
            response: 2 for SLVERR, 3 for DECERR, `NO_ANSWER`.
        """
        self._library.specbp_fault(self._model, first, last, response)

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._library.specbp_no_faults(self._model)

    def trace(self, path: Path, first: int, last: int) -> None:
        """Write an FST of the clock cycles `first` to `last`.

        Raises:
            SpecbpError: this is not a ``checked`` build.
        """
        if self._library.specbp_trace(self._model, str(path).encode(), first, last):
            raise SpecbpError("waveforms need the checked build of the model")

    def write_coverage(self, path: Path) -> None:
        """Write the line coverage so far, for `verilator_coverage`.

        Raises:
            SpecbpError: this is not a ``checked`` build.
        """
        if self._library.specbp_coverage(self._model, str(path).encode()):
            raise SpecbpError("coverage needs the checked build of the model")

    def close(self) -> None:
        """End the simulation; finishes a waveform."""
        if self._opened:
            self._library.specbp_close(self._opened)
            self._opened = None

    @property
    def _model(self) -> int:
        """The model in the library, which a null pointer would crash."""
        if self._opened is None:
            raise ClosedModelError(
                "this simulated board is closed: open a new one, and keep it open while it is used"
            )
        return self._opened


@functools.cache
def _library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    model, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    for name, result, arguments in (
        ("open", model, (ctypes.c_void_p, u64, u64)),
        ("close", None, (model,)),
        ("timing", None, (model, u32, u32, u32, u32)),
        ("buffered", None, (model, u32, ctypes.c_int)),
        ("stalls", None, (model, u64, u32)),
        ("fault", None, (model, u64, u64, u32)),
        ("no_faults", None, (model,)),
        ("reset", None, (model,)),
        ("write", ctypes.c_int, (model, u32, u32)),
        ("read", u64, (model, u32)),
        ("run", u64, (model, u64)),
        ("interrupt", ctypes.c_int, (model,)),
        ("cycles", u64, (model,)),
        ("violations", u64, (model,)),
        ("trace", ctypes.c_int, (model, ctypes.c_char_p, u64, u64)),
        ("coverage", ctypes.c_int, (model, ctypes.c_char_p)),
    ):
        function = getattr(library, f"specbp_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def _said(response: int) -> str:
    if response == _BUS_DEAD:
        return "no answer"
    return RESPONSES.get(response, f"response {response}")
