"""What lies around the overlay on a Zynq-7000: clock registers, an AXI interrupt controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

REFERENCE_CLOCK_HZ = 50e6
"""The crystal that pynq assumes for PYNQ-Z1 and PYNQ-Z2."""


class Peripheral(Protocol):
    """32-bit registers by their offset in bytes."""

    def read(self, offset: int) -> int:
        """Return the register at `offset`."""

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""


class ClockRegisters:
    """The registers of the SLCR that set the clocks; all others read as what was written last.

    Args:
        changed: called after each write.
    """

    IO_PLL, FPGA0 = 0x108, 0x170
    _FEEDBACK_LOW, _DIVISOR_LOW = 12, (8, 20)

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        # IO PLL at 20 x 50 MHz, ARM PLL at 26 x, DDR PLL at 21 x; the fabric clocks at 1 GHz / 10.
        self._words = {0x100: 26 << 12, 0x104: 21 << 12, self.IO_PLL: 20 << 12, 0x120: 2 << 8}
        self._words |= {self.FPGA0 + 0x10 * clock: 5 << 8 | 2 << 20 for clock in range(4)}

    def read(self, offset: int) -> int:
        """Return the register at `offset`."""
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""
        self._words[offset] = value
        self._changed()

    @property
    def fabric_hz(self) -> float:
        """The overlay's clock, FCLK0."""
        feedback = self._words[self.IO_PLL] >> self._FEEDBACK_LOW & 0x7F
        word = self._words[self.FPGA0]
        divisors = [max(1, word >> low & 0x3F) for low in self._DIVISOR_LOW]
        return REFERENCE_CLOCK_HZ * feedback / (divisors[0] * divisors[1])


class InterruptController:
    """One input of a Xilinx AXI INTC, level sensitive, as pynq uses it.

    Args:
        line: says whether the input is up.
    """

    STATUS, PENDING, ENABLE, ACKNOWLEDGE, SET, CLEAR, MASTER = 0x0, 0x4, 0x8, 0xC, 0x10, 0x14, 0x1C

    def __init__(self, line: Callable[[], bool]) -> None:
        self._line = line
        self._enabled = self._master = 0
        self._released = False

    def read(self, offset: int) -> int:
        """Return the register at `offset`."""
        if offset == self.STATUS:
            return int(self._line())
        if offset == self.PENDING:
            return int(self._released or self._line()) & self._enabled
        return {self.ENABLE: self._enabled, self.MASTER: self._master}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""
        if offset == self.ENABLE:
            self._enabled = value
        elif offset == self.SET:
            self._enabled |= value
        elif offset == self.CLEAR:
            self._enabled &= ~value
        elif offset == self.MASTER:
            self._master = value

    def release(self) -> None:
        """Let the input count as up from now on: who waits for it must not wait for ever."""
        self._released = True

    @property
    def raised(self) -> bool:
        """Whether the processor is interrupted."""
        return bool(self._master & 1 and self.read(self.PENDING))


class Window:
    """A range of registers that pynq's `MMIO` takes for a numpy array of 32-bit words.

    Args:
        peripheral: what the words belong to.
        offset: of the first word, in bytes.
        words: how many.
    """

    __slots__ = ("_offset", "_read", "_words", "_write")

    def __init__(self, peripheral: Peripheral, offset: int, words: int) -> None:
        self._read, self._write = peripheral.read, peripheral.write
        self._offset, self._words = offset, words

    def __len__(self) -> int:
        return self._words

    def __getitem__(self, index: int | slice) -> int | Window:
        if isinstance(index, slice):
            start, stop, _ = index.indices(self._words)
            part = object.__new__(Window)
            part._read, part._write = self._read, self._write
            part._offset, part._words = self._offset + 4 * start, stop - start
            return part
        return self._read(self._at(index))

    def __setitem__(self, index: int, value: int) -> None:
        self._write(self._at(index), int(value))

    def view(self, dtype: str = "u4") -> Window:
        """Return the same words; they have 32 bits, whatever `dtype` says."""
        return self

    def _at(self, index: int) -> int:
        if not 0 <= index < self._words:
            raise IndexError(f"word {index} of a window of {self._words}")
        return self._offset + 4 * index
