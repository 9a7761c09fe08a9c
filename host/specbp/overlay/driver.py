"""The overlay's driver: runs programs through pynq, on a board or on the simulation.

Importing this registers the driver with pynq: `Overlay(...).specbp_0` is one. It needs numpy and
pynq, no torch. Every wait has a deadline, and what goes wrong is raised with the registers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.overlay import hwh
from specbp.overlay import register_map as registers
from specbp.overlay.faults import (
    BuildMismatchError,
    DeadlineError,
    OverlayError,
    from_status,
)
from specbp.overlay.parameters import Parameters, read_parameters
from specbp.overlay.quiet import pynq_imports
from specbp.overlay.register import Register

with pynq_imports():
    from pynq import Clocks, allocate
    from pynq.overlay import DefaultIP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from specbp.overlay import isa

IDENTIFIER = 0x53504250
DEFAULT_WATCHDOG = 100_000_000
"""Cycles in which nothing may be dispatched or completed: 1 s at 100 MHz."""
DRAIN_DEADLINE_S = 1.0
POLL_S = 0.002


@dataclass(frozen=True)
class Run:
    """What a program's run took.

    Attributes:
        cycles: clock cycles from start to end.
        read_stall: of these, cycles that waited for read data.
        write_stall: of these, cycles in which write data waited for the bus.
        loading: of these, cycles in which the load unit had a descriptor under way.
        computing: likewise, the compute unit.
        storing: likewise, the store unit.
        multiplying: of these, cycles in which the lanes multiplied.
        seconds: `cycles` at the clock that was set.
    """

    cycles: int
    read_stall: int
    write_stall: int
    loading: int
    computing: int
    storing: int
    multiplying: int
    seconds: float


class OverlayDriver(DefaultIP):  # type: ignore[misc]
    """Drives the overlay; made by pynq.

    Args:
        description: what pynq's parser says about the IP.

    Raises:
        BuildMismatchError: the programmed logic is not the overlay that this package drives.

    Attributes:
        parameters: those the logic was built with.
    """

    bindto = (hwh.VLNV,)

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description)
        self.parameters = self._checked_parameters()

    def require(self, expected: Parameters) -> None:
        """Refuse logic that was built with other parameters than `expected`.

        Raises:
            BuildMismatchError: it was.
        """
        if self.parameters != expected:
            raise BuildMismatchError(
                f"the overlay was built with {self.parameters}, this needs {expected}"
            )

    def allocate(self, shape: Any, dtype: Any = np.uint8) -> Any:
        """Return a buffer that the overlay can reach; flush and invalidate are the caller's."""
        return allocate(shape, dtype, target=self.device)

    def run(
        self,
        program: Sequence[isa.Descriptor] | NDArray[np.uint32],
        buffers: Sequence[Any],
        deadline_s: float = 10.0,
        watchdog: int = DEFAULT_WATCHDOG,
    ) -> Run:
        """Run `program` and wait for its end.

        Args:
            program: descriptors, or their words.
            buffers: those that the program may touch; what lies outside all of them is refused.
            deadline_s: wall time to wait for the end.
            watchdog: cycles in which nothing may be dispatched or completed, 0 for no limit.

        Raises:
            OverlayError: the overlay stopped at an error; it is ready for the next run.
            DeadlineError: it did not stop in time.
        """
        loop = _event_loop()
        return loop.run_until_complete(self.run_async(program, buffers, deadline_s, watchdog))

    async def run_async(
        self,
        program: Sequence[isa.Descriptor] | NDArray[np.uint32],
        buffers: Sequence[Any],
        deadline_s: float = 10.0,
        watchdog: int = DEFAULT_WATCHDOG,
    ) -> Run:
        """Do what `run` does, inside an event loop."""
        words = program if isinstance(program, np.ndarray) else _encoded(program)
        if self._status("busy"):
            self.reset()
        # Held until the end: the overlay reads it.
        stored = self.allocate(words.shape, np.uint32)
        stored[:] = words
        stored.flush()
        self._start(stored.device_address, len(words), buffers, watchdog)
        try:
            await asyncio.wait_for(self._ended(), deadline_s)
        except asyncio.TimeoutError:
            await self._give_up(deadline_s)
        status = self._read(registers.STATUS)
        if registers.STATUS.field("error").of(status):
            dump = self.dump()
            self.reset()
            raise from_status(status, dump)
        return self._measured()

    def reset(self) -> None:
        """Stop whatever runs; bursts under way are completed.

        Raises:
            DeadlineError: memory does not answer them; programming the logic anew helps.
        """
        self._write(registers.CONTROL, registers.CONTROL.field("reset").mask)
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while self._status("busy"):
            if time.monotonic() > deadline:
                raise DeadlineError(
                    "the overlay waits for memory that does not answer, and cannot be reset: "
                    "program it again with Overlay.download()",
                    self.dump(),
                )
        self._write(registers.INTERRUPT_STATUS, 3)

    def dump(self) -> dict[str, int]:
        """Return the value of every readable register, by name."""
        return {
            register.name: self._read(register)
            for register in registers.REGISTERS
            if any(field.access != "wo" for field in register.fields)
        }

    @property
    def clock_hz(self) -> float:
        """The overlay's clock, FCLK0, as it is set."""
        return float(Clocks.fclk0_mhz) * 1e6

    def _checked_parameters(self) -> Parameters:
        found = self._read(registers.IDENTIFIER)
        if found != IDENTIFIER:
            raise BuildMismatchError(
                f"no specbp overlay at this address: identifier 0x{found:08X}, "
                f"not 0x{IDENTIFIER:08X}: do bitstream and hwh belong together?",
                {"IDENTIFIER": found},
            )
        build = self._read(registers.BUILD)
        try:
            parameters = read_parameters(lambda offset: int(self.mmio.read(offset)) & 0xFFFFFFFF)
        except Exception as error:
            raise BuildMismatchError(str(error), self.dump()) from error
        if build != parameters.build_identifier:
            raise BuildMismatchError(
                f"build identifier 0x{build:08X}, this driver expects "
                f"0x{parameters.build_identifier:08X}: bitstream and package are of "
                "different versions",
                self.dump(),
            )
        return parameters

    def _start(self, address: int, length: int, buffers: Sequence[Any], watchdog: int) -> None:
        first = min((buffer.device_address for buffer in buffers), default=0xFFFFFFFF)
        last = max((buffer.device_address + buffer.nbytes - 1 for buffer in buffers), default=0)
        self._write(registers.WINDOW_FIRST, first)
        self._write(registers.WINDOW_LAST, last)
        self._write(registers.PROGRAM_ADDRESS, address)
        self._write(registers.PROGRAM_LENGTH, length)
        self._write(registers.WATCHDOG, watchdog)
        self._write(registers.INTERRUPT_STATUS, 3)
        self._write(registers.INTERRUPT_ENABLE, 3)
        self._write(registers.CONTROL, registers.CONTROL.field("start").mask)

    async def _ended(self) -> None:
        """Wait until a program has ended, by interrupt."""
        # A wait that a deadline ended earlier may still be woken by that run's interrupt.
        while not self._read(registers.INTERRUPT_STATUS):
            if self.device.has_capability("REMOTE"):
                # PYNQ.remote brings no interrupts.
                await asyncio.sleep(POLL_S)
            else:
                await self.interrupt_o.wait()

    async def _give_up(self, deadline_s: float) -> None:
        dump = self.dump()
        self.reset()
        raise DeadlineError(f"the program did not end within {deadline_s:g} s", dump)

    def _measured(self) -> Run:
        cycles = self._read(registers.BUSY)
        return Run(
            cycles,
            self._read(registers.READ_STALL),
            self._read(registers.WRITE_STALL),
            self._read(registers.LOADING),
            self._read(registers.COMPUTING),
            self._read(registers.STORING),
            self._read(registers.MULTIPLYING),
            cycles / self.clock_hz,
        )

    def _status(self, field: str) -> int:
        return registers.STATUS.field(field).of(self._read(registers.STATUS))

    def _read(self, register: Register) -> int:
        # Low half first. PYNQ.remote has no 64 bits in a message, and a sign in 32.
        return sum(
            (int(self.mmio.read(register.offset + byte)) & 0xFFFFFFFF) << 8 * byte
            for byte in range(0, register.bits // 8, 4)
        )

    def _write(self, register: Register, value: int) -> None:
        self.mmio.write(register.offset, int(value))


def _encoded(program: Sequence[isa.Descriptor]) -> NDArray[np.uint32]:
    # On a board programs come as words, and nothing there knows descriptors.
    from specbp.overlay import isa

    return isa.encode(program)


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return this thread's event loop: pynq's interrupts stay bound to the first they saw."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_loop)
    return _loop


_loop: asyncio.AbstractEventLoop | None = None

__all__ = [
    "BuildMismatchError",
    "DeadlineError",
    "OverlayDriver",
    "OverlayError",
    "Run",
]
