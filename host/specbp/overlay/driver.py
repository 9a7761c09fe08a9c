"""The overlay's driver: runs programs through pynq, on a board or on the simulation.

Importing this registers the driver with pynq: `Overlay(...).specbp_0` is one. It needs numpy and
pynq, no torch. Every wait has a deadline, and what goes wrong is raised with the registers.

A board may be in reach of others. The driver marks the overlay as its own between runs, in a
register that programming resets and every run sets: before each run it checks mark and build, and
after each that the registers are those of its own program.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.errors import UsageError
from specbp.overlay import hwh
from specbp.overlay import register_map as registers
from specbp.overlay.faults import (
    DEFAULT_WATCHDOG,
    BuildMismatchError,
    DeadlineError,
    ForeignUseError,
    OutOfReachError,
    OverlayError,
    from_registers,
)
from specbp.overlay.parameters import Parameters, read_parameters
from specbp.overlay.quiet import pynq_imports
from specbp.overlay.register import Register, of_cores

with pynq_imports():
    from pynq import Clocks, allocate
    from pynq.overlay import DefaultIP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

    from numpy.typing import NDArray

    from specbp.overlay.instructions import Descriptor

    Program = Sequence[Descriptor] | NDArray[np.uint32]
    """Descriptors, or their words."""

IDENTIFIER = 0x53504250
LAST_ADDRESS = (1 << 32) - 1
"""The overlay's memory ports have 32 address bits."""
DRAIN_DEADLINE_S = 1.0
POLL_S = 0.002
LABELS = 1 << registers.LABEL.field("value").width


@dataclass(frozen=True)
class Run:
    """What a program's run took, on its core.

    Attributes:
        cycles: clock cycles from start to end.
        read_stall: cycles of these in which the overlay waited for read data.
        write_stall: cycles of these in which write data waited for the bus.
        loading: cycles of these in which the load unit had a descriptor under way.
        computing: cycles of these in which the compute unit had a descriptor under way.
        storing: cycles of these in which the store unit had a descriptor under way.
        multiplying: cycles of these in which the lanes multiplied.
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


@dataclass(frozen=True)
class LabelTable:
    """What the gate knows of each label.

    Attributes:
        valid: bool [labels]: samples of the label may be accepted.
        accepts: int64 [labels]: samples accepted, modulo 2^32.
        rejects: samples that the gate rejected.
    """

    valid: NDArray[np.bool_]
    accepts: NDArray[np.int64]
    rejects: NDArray[np.int64]


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
        # High, so that it is never mistaken for the watchdog of a run.
        self._mark = secrets.randbits(31) | 1 << 31
        self._marked = False
        self._leave()

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
        """Return a buffer that the overlay can reach; flush and invalidate are the caller's.

        Raises:
            OutOfReachError: the board's memory for buffers lies beyond the overlay's addresses.
        """
        buffer = allocate(shape, dtype, target=self.device)
        last = int(buffer.device_address) + int(buffer.nbytes) - 1
        if last > LAST_ADDRESS:
            buffer.freebuffer()
            raise OutOfReachError(
                f"pynq gave a buffer that ends at 0x{last:X}, the overlay reaches memory up to "
                f"0x{LAST_ADDRESS:X}: let the board's kernel reserve its contiguous memory (CMA) "
                "below 4 GB, as PYNQ's images do"
            )
        return buffer

    def run(
        self,
        program: Program,
        buffers: Sequence[Any],
        deadline_s: float = 10.0,
        watchdog: int = DEFAULT_WATCHDOG,
    ) -> Run:
        """Run `program` on core 0 and wait for its end; see `run_cores`."""
        return self.run_cores([program], buffers, deadline_s, watchdog)[0]

    def run_cores(
        self,
        programs: Sequence[Program],
        buffers: Sequence[Any],
        deadline_s: float = 10.0,
        watchdog: int = DEFAULT_WATCHDOG,
        delays: Sequence[int] = (),
    ) -> list[Run]:
        """Run a program on each core at the same time and wait until all have ended.

        Args:
            programs: one for each core, from core 0 on; cores beyond them rest.
            buffers: those that the programs may touch; what lies outside all of them is refused.
            deadline_s: wall time to wait for the end.
            watchdog: cycles in which a core may dispatch and complete nothing, 0 for no limit.
            delays: cycles, below 65536, that each core's program waits after the start: to look
                for races between cores. They count as the core's.

        Raises:
            UsageError: there are more programs than cores.
            OverlayError: a core stopped at an error, and with it all; they are ready for the next
                run.
            DeadlineError: they did not stop in time.
            ForeignUseError: somebody else programmed or ran the overlay since this was made or
                ran last, or while the programs ran.
        """
        return _event_loop().run_until_complete(
            self.run_async(programs, buffers, deadline_s, watchdog, delays)
        )

    async def run_async(
        self,
        programs: Sequence[Program],
        buffers: Sequence[Any],
        deadline_s: float = 10.0,
        watchdog: int = DEFAULT_WATCHDOG,
        delays: Sequence[int] = (),
    ) -> list[Run]:
        """Do what `run_cores` does, inside an event loop."""
        if len(programs) > self.parameters.cores:
            raise UsageError(f"{len(programs)} programs for {self.parameters.cores} cores")
        self._check_own()
        if self._busy():
            self.reset()
        # Held until the end: the overlay reads them.
        stored = [self._stored(program) for program in programs]
        setting = {
            registers.WATCHDOG: watchdog,
            **_window(buffers),
            **self._programs(stored, delays),
        }
        self._marked = False
        for register, value in setting.items():
            self._write(register, value)
        self._write(registers.INTERRUPT_STATUS, 3)
        self._write(registers.INTERRUPT_ENABLE, 3)
        self._write(registers.CONTROL, registers.CONTROL.field("start").mask)
        try:
            ended = await asyncio.wait_for(self._ended(), deadline_s)
        except asyncio.TimeoutError:
            await self._give_up(deadline_s)
        self._check_setting(setting)
        if registers.INTERRUPT_STATUS.field("error").of(ended):
            error = from_registers(self.dump())
            self.reset()
            self._leave()
            assert error is not None
            raise error
        runs = [self._measured(core) for core in range(len(programs))]
        self._leave()
        return runs

    def reset(self) -> None:
        """Stop whatever runs; bursts under way are completed.

        Raises:
            DeadlineError: memory does not answer them; programming the logic anew helps.
        """
        self._write(registers.CONTROL, registers.CONTROL.field("reset").mask)
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while self._busy():
            if time.monotonic() > deadline:
                raise DeadlineError(
                    "the overlay waits for memory that does not answer, and cannot be reset: "
                    "program it again with Overlay.download()",
                    self.dump(),
                )
        self._write(registers.INTERRUPT_STATUS, 3)

    def dump(self) -> dict[str, int]:
        """Return the value of every readable register, by name; of each core its own."""
        return self._values(self.parameters.cores)

    def clear_labels(self, valid: Iterable[int] = ()) -> None:
        """Make all labels but those in `valid` invalid, and all counters 0; not while it runs."""
        clear, set_valid = (registers.LABEL_SET.field(name).mask for name in ("clear", "valid"))
        kept = set(valid)
        for label in range(LABELS):
            self._write(registers.LABEL, label)
            self._write(registers.LABEL_SET, clear)
            if label in kept:
                self._write(registers.LABEL_SET, set_valid)

    def read_labels(self) -> LabelTable:
        """Return the label table; not while a program runs."""
        shown = (registers.LABEL_STATE, registers.LABEL_ACCEPTS, registers.LABEL_REJECTS)
        found = np.empty((len(shown), LABELS), np.int64)
        for label in range(LABELS):
            self._write(registers.LABEL, label)
            found[:, label] = [self._read(register) for register in shown]
        return LabelTable(found[0] != 0, found[1], found[2])

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
            raise BuildMismatchError(str(error), self._values()) from error
        if build != parameters.build_identifier:
            raise BuildMismatchError(
                f"build identifier 0x{build:08X}, this driver expects "
                f"0x{parameters.build_identifier:08X}: bitstream and package are of "
                "different versions",
                self._values(),
            )
        return parameters

    def _values(self, cores: int = 0) -> dict[str, int]:
        """Return the value of every readable register, those of so many cores among them."""
        return {
            register.name: self._read(register)
            for register in of_cores(registers.REGISTERS, cores)
            if any(field.access != "wo" for field in register.fields)
        }

    def _stored(self, program: Program) -> Any:
        """Return a buffer with the words of `program`."""
        words = program if isinstance(program, np.ndarray) else _encoded(program)
        stored = self.allocate(words.shape, np.uint32)
        stored[:] = words
        stored.flush()
        return stored

    def _programs(self, stored: Sequence[Any], delays: Sequence[int]) -> dict[Register, int]:
        """Return what the registers must hold for the programs in `stored`, one of each core."""
        setting = {}
        for core in range(self.parameters.cores):
            length = len(stored[core]) if core < len(stored) else 0
            if length:
                address = int(stored[core].device_address)
                setting[registers.PROGRAM_ADDRESS.of_core(core)] = address
            setting[registers.PROGRAM_LENGTH.of_core(core)] = length
            delay = delays[core] if core < len(delays) else 0
            setting[registers.START_DELAY.of_core(core)] = delay
        return setting

    def _leave(self) -> None:
        """Mark the overlay as used by this driver last."""
        self._write(registers.WATCHDOG, self._mark)
        self._marked = True

    def _check_own(self) -> None:
        """Refuse an overlay that is not as this driver left it."""
        found = self._read(registers.IDENTIFIER), self._read(registers.BUILD)
        expected = IDENTIFIER, self.parameters.build_identifier
        if found != expected:
            self._refuse_foreign(f"programmed build 0x{found[1]:08X} on this board")
        if self._marked and self._read(registers.WATCHDOG) != self._mark:
            self._refuse_foreign("programmed or ran the overlay")

    def _check_setting(self, setting: dict[Register, int]) -> None:
        """Refuse the results of a run during which the registers became those of another."""
        if any(self._read(register) != value for register, value in setting.items()):
            self._refuse_foreign("used the overlay while a program ran")

    def _refuse_foreign(self, what: str) -> NoReturn:
        # For good: what the overlay remembers between runs is not known any more.
        self._marked = True
        raise ForeignUseError(
            f"somebody else {what}: what this run computes is not to be relied on: "
            "see to it that nobody else uses the board, and run again",
        )

    async def _ended(self) -> int:
        """Wait, by interrupt, until all programs have ended or one has failed.

        Returns:
            The value of INTERRUPT_STATUS.
        """
        # A wait that a deadline ended earlier may still be woken by that run's interrupt.
        while not (status := self._read(registers.INTERRUPT_STATUS)):
            if self.device.has_capability("REMOTE"):
                # PYNQ.remote brings no interrupts.
                await asyncio.sleep(POLL_S)
            else:
                await self.interrupt_o.wait()
        return status

    async def _give_up(self, deadline_s: float) -> NoReturn:
        dump = self.dump()
        self.reset()
        self._leave()
        raise DeadlineError(f"the program did not end within {deadline_s:g} s", dump)

    def _measured(self, core: int) -> Run:
        def count(counter: Register) -> int:
            return self._read(counter.of_core(core))

        cycles = count(registers.BUSY)
        return Run(
            cycles,
            count(registers.READ_STALL),
            count(registers.WRITE_STALL),
            count(registers.LOADING),
            count(registers.COMPUTING),
            count(registers.STORING),
            count(registers.MULTIPLYING),
            cycles / self.clock_hz,
        )

    def _busy(self) -> bool:
        """Whether a core is."""
        busy = registers.STATUS.field("busy")
        cores = range(self.parameters.cores)
        return any(busy.of(self._read(registers.STATUS.of_core(core))) for core in cores)

    def _read(self, register: Register) -> int:
        # Low half first. PYNQ.remote has no 64 bits in a message, and a sign in 32.
        return sum(
            (int(self.mmio.read(register.offset + byte)) & 0xFFFFFFFF) << 8 * byte
            for byte in range(0, register.bits // 8, 4)
        )

    def _write(self, register: Register, value: int) -> None:
        self.mmio.write(register.offset, int(value))


def _window(buffers: Sequence[Any]) -> dict[Register, int]:
    """Return what the registers must hold so that programs may touch `buffers`."""
    first = min((buffer.device_address for buffer in buffers), default=0xFFFFFFFF)
    last = max((buffer.device_address + buffer.nbytes - 1 for buffer in buffers), default=0)
    return {registers.WINDOW_FIRST: int(first), registers.WINDOW_LAST: int(last)}


def _encoded(program: Sequence[Descriptor]) -> NDArray[np.uint32]:
    # On a board programs come as words, and nothing there knows descriptors.
    from specbp.overlay.instructions import encode

    return encode(program)


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
    "ForeignUseError",
    "LabelTable",
    "OutOfReachError",
    "OverlayDriver",
    "OverlayError",
    "Run",
]
