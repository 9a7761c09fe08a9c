"""A simulated PYNQ board: pynq's own API on the Verilated overlay.

    device = SimulatedDevice(Parameters())
    overlay = pynq.Overlay(device.bitstream, device=device)
    overlay.specbp_0        # the driver, bound from the generated hardware handoff

Only for one thread. pynq keeps state for the whole process (the active device, the clocks, the
interrupt controllers), and a new device takes all of it over; `activate` takes it again, `close`
gives it back.
"""

from __future__ import annotations

import asyncio
import tempfile
import weakref
from pathlib import Path
from typing import Any

from specbp.boards import handoff
from specbp.boards.board import SIMULATED, board_named
from specbp.boards.processing_system import processing_system
from specbp.overlay import hwh
from specbp.overlay.clocks import forget_clocks
from specbp.overlay.parameters import Parameters
from specbp.overlay.quiet import pynq_imports
from specbp.overlay.timing import MemoryTiming
from specbp.simulation.build import Kind
from specbp.simulation.memory import DeviceMemory
from specbp.simulation.peripherals import (
    InterruptController,
    Peripheral,
    PlainRegisters,
    RegisterWindow,
    UltrascaleClocks,
    ZynqClocks,
)
from specbp.simulation.verilated import BusError, Model

with pynq_imports():
    from pynq.interrupt import _InterruptController
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynq.pl_server.device import Device
    from pynq.pl_server.embedded_device import EmbeddedDevice
    from pynqmetadata.frontends import Metadata

import specbp.overlay.driver  # noqa: F401  registers the driver with pynq

MEMORY_BASE = 0x10000000
PORT_REGISTERS = (0xFD615000, 0xFF419000, *range(0xFD360000, 0xFD3C0000, 0x10000), 0xFF9B0000)
"""Where a Zynq UltraScale+ has the widths of the ports to its logic: FPD_SLCR, LPD_SLCR, AFIFM0 to
AFIFM6."""
CRF_BASE = 0xFD1A0000
CYCLES_AT_ONCE = 200_000
"""The event loop gets its turn after so many cycles of waiting for the interrupt."""


class SimulatedDevice(Device):  # type: ignore[misc]
    """A board whose programmable logic is the Verilated overlay.

    Every register access of the overlay takes clock cycles; between accesses simulated time
    stands still. Waiting for the interrupt runs the simulation at full speed.

    Args:
        parameters: those of the overlay.
        memory_bytes: size of the memory for buffers.
        timing: how the memory behind the overlay answers; as that of the board if None.
        kind: the build of the model: fast or checked.
        name: name of the simulated board: ``simulated`` for a PYNQ-Z2, ``simulated-aup-zu3``.

    Attributes:
        board: what its file says.
        model: the Verilated overlay: faults, stalls, waveforms.
        bitstream: what to give to `pynq.Overlay`.
        simulated: true; pynq's own devices have no such attribute.
    """

    simulated = True

    def __init__(
        self,
        parameters: Parameters | None = None,
        memory_bytes: int = 64 << 20,
        timing: MemoryTiming | None = None,
        kind: Kind = "fast",
        name: str = SIMULATED,
    ) -> None:
        super().__init__("specbp-simulated")
        self.name = name
        self.board = board_named(name)
        self._system = processing_system(self.board)
        self.arch = self._system.machine
        self.capabilities = {"MEMORY_MAPPED": True}
        self.model = Model(parameters or Parameters(), memory_bytes, MEMORY_BASE, kind)
        self._timing = timing or MemoryTiming(bytes_per_s=self.board.bytes_per_s)
        self._memory = DeviceMemory(self.model.memory, MEMORY_BASE)
        self._clocks = self._clock_registers()
        self._controller = controller = InterruptController(lambda: self.model.interrupt)
        self._peripherals: dict[int, Peripheral] = {
            self.board.base: self.model,
            self.board.controller_base: controller,
            self._clocks.BASE: self._clocks,
        }
        if self.board.processing_system == "ps8":
            for base in (CRF_BASE, *PORT_REGISTERS):
                self._peripherals[base] = PlainRegisters()
        self._waiting = _WaitingRoom(self.model, controller)
        self._clock_changed()
        self._folder = tempfile.TemporaryDirectory(prefix="specbp-")
        # pynq wants a file; what is in it, nobody reads.
        self.bitstream = str(Path(self._folder.name) / f"{hwh.DESIGN}.bit")
        Path(self.bitstream).touch()
        self._interrupts: list[Any] = []
        self.activate()

    @property
    def clock_hz(self) -> float:
        """The overlay's clock, as the clock registers set it."""
        return float(self._clocks.fabric_hz)

    def seconds(self, cycles: int) -> float:
        """Return the time that `cycles` take at the clock that is set now."""
        return cycles / self.clock_hz

    def mmap(self, base_address: int, length: int) -> RegisterWindow:
        """Return the registers from the physical `base_address` on, for pynq's `MMIO`.

        Raises:
            BusError: nothing answers at that address, or not on so many bytes.
        """
        last = base_address + length - 1
        for base, peripheral in self._peripherals.items():
            if length > 0 and base <= base_address and last < base + hwh.SPAN:
                return RegisterWindow(peripheral, base_address - base, length // 4)
        raise BusError(
            f"no registers at address 0x{base_address:08X}, {length} bytes of them: DECERR"
        )

    def allocate(self, shape: Any, dtype: Any, cacheable: bool = True, **_: Any) -> Any:
        """Return a buffer; one that is not `cacheable` is coherent, as on a board."""
        return self._memory.allocate(self, shape, dtype, coherent=not cacheable)

    def flush(self, bo: int, offset: int, virtual_address: int, size: int) -> None:
        """Bring a buffer's host copy to the device; pynq's buffers call this."""
        self._memory.bytes_at(bo + offset, size)[:] = _host_bytes(virtual_address, size)

    def invalidate(self, bo: int, offset: int, virtual_address: int, size: int) -> None:
        """Bring a buffer's content on the device to the host; pynq's buffers call this."""
        _host_bytes(virtual_address, size)[:] = self._memory.bytes_at(bo + offset, size)

    def get_memory(self, description: Any) -> DeviceMemory:
        """Return the memory; there is one."""
        return self._memory

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return what the hardware handoff says, in pynq's form."""
        parser = RuntimeMetadataParser(Metadata(input=self._handoff(bitfile_name)))
        parser.mem_dict["PSDDR"] = {
            "fullpath": "PSDDR",
            "type": "DDR",
            "used": 1,
            "base_address": MEMORY_BASE,
            "size": self._memory.size,
        }
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the logic, which resets it."""
        self.model.reset()
        self._programmed(bitstream, parser)

    def _programmed(self, bitstream: Any, parser: Any) -> None:
        """Do what pynq does on a board after the logic is programmed."""
        if parser is not None:
            EmbeddedDevice.set_axi_port_width(self, parser)
        self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Do nothing: pynq's own would write into its installation."""

    def close(self) -> None:
        """End the simulation and give pynq's state for the whole process back.

        Who waits for its interrupt is woken, and finds it closed.
        """
        if _active() is self:
            _InterruptController._uio_devices.pop(self._system.interrupt, None)
            _InterruptController._controllers.clear()
            del Device._active_device
            forget_clocks()
        self._controller.release()
        self.model.close()
        self._waiting.close()
        self._folder.cleanup()

    def activate(self) -> None:
        """Make this the device that pynq's state for the whole process is about.

        A new device is, until the next one; with several in turns, activate each before its turn.
        """
        before = _active()
        if before is self:
            return
        if before is not None:
            before._interrupts = list(_InterruptController._controllers)
        Device.active_device = self
        forget_clocks()
        _InterruptController._controllers[:] = self._interrupts
        _InterruptController._uio_devices[self._system.interrupt] = self._waiting

    def _handoff(self, bitfile_name: str) -> str:
        """Return where the hardware handoff of a bitstream is: written beside it."""
        path = Path(bitfile_name).with_suffix(".hwh")
        path.write_text(handoff.text(self.model.parameters, self.board))
        return str(path)

    def _clock_registers(self) -> Any:
        if self.board.processing_system == "ps7":
            return ZynqClocks(self._clock_changed)
        return UltrascaleClocks(self._clock_changed, self.board.pll, self.board.pll_mhz * 1e6)

    def _clock_changed(self) -> None:
        self.model.set_timing(self._timing, self.clock_hz)


class _WaitingRoom:
    """Stands in for the kernel's UIO device: who waits for the interrupt lets time pass.

    Attributes:
        model: model in which time passes.
    """

    def __init__(self, model: Model, controller: InterruptController) -> None:
        self.model, self._controller = model, controller
        self._events: list[Any] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def add_event(self, event: Any, number: int) -> None:
        """Call `event.set()` at the next interrupt; simulated time passes until then.

        Raises:
            ClosedModelError: no interrupt will come.
        """
        if self._closed:
            self.model.run(0)
        self._events.append(event)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            # Not to keep a closed device alive: the loop holds on to what it will call.
            loop.call_soon(_advance, weakref.ref(self))

    def advance(self) -> bool:
        """Run for a while; return whether anyone still waits."""
        if self._closed:
            return False
        if not self._controller.raised:
            self.model.run(CYCLES_AT_ONCE)
        if self._controller.raised:
            events, self._events = self._events, []
            self._loop = None
            for event in events:
                event.set()
            return False
        return True

    def close(self) -> None:
        """Wake everybody; time passes no more."""
        self._closed = True
        events, self._events = self._events, []
        for event in events:
            event.set()


def _advance(room_reference: weakref.ref[_WaitingRoom]) -> None:
    room = room_reference()
    if room is not None and room.advance():
        asyncio.get_running_loop().call_soon(_advance, room_reference)


def _host_bytes(virtual_address: int, size: int) -> Any:
    import ctypes

    import numpy as np

    pointer = ctypes.cast(virtual_address, ctypes.POINTER(ctypes.c_uint8))
    return np.ctypeslib.as_array(pointer, (size,))


def _active() -> SimulatedDevice | None:
    """Return the simulated device that is active, if one is."""
    active = getattr(Device, "_active_device", None)
    return active if isinstance(active, SimulatedDevice) else None
