"""What lies around the overlay on a board: clock registers, an AXI interrupt controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

ZYNQ_CRYSTAL_HZ, ULTRASCALE_CRYSTAL_HZ = 50e6, 33.333e6
"""The crystals that pynq assumes."""


class Peripheral(Protocol):
    """32-bit registers by their offset in bytes."""

    def read(self, offset: int) -> int:
        """Return the register at `offset`."""

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""


class PlainRegisters:
    """Registers that read as what was written last, 0 before."""

    def __init__(self) -> None:
        self._words: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """Return the register at `offset`."""
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""
        self._words[offset] = value


class ClockRegisters(PlainRegisters):
    """Registers that set the overlay's clock, and others beside them.

    Args:
        changed: called after each write.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def write(self, offset: int, value: int) -> None:
        """Set the register at `offset`."""
        super().write(offset, value)
        self._changed()

    @property
    def fabric_hz(self) -> float:
        """The overlay's clock."""
        raise NotImplementedError


class ZynqClocks(ClockRegisters):
    """Those of the SLCR of a Zynq-7000: fabric clocks at 1 GHz / 10 to begin with.

    Args:
        changed: called after each write.
    """

    BASE = 0xF8000000
    IO_PLL, FPGA0 = 0x108, 0x170
    _FEEDBACK_LOW, _DIVISOR_LOW = 12, (8, 20)

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(changed)
        # IO PLL at 20 x 50 MHz, ARM PLL at 26 x, DDR PLL at 21 x.
        self._words = {0x100: 26 << 12, 0x104: 21 << 12, self.IO_PLL: 20 << 12, 0x120: 2 << 8}
        self._words |= {self.FPGA0 + 0x10 * clock: 5 << 8 | 2 << 20 for clock in range(4)}

    @property
    def fabric_hz(self) -> float:
        """The overlay's clock, FCLK0."""
        feedback = self._words[self.IO_PLL] >> self._FEEDBACK_LOW & 0x7F
        word = self._words[self.FPGA0]
        divisors = [max(1, word >> low & 0x3F) for low in self._DIVISOR_LOW]
        return ZYNQ_CRYSTAL_HZ * feedback / (divisors[0] * divisors[1])

    def spoil(self, feedback: int) -> None:
        """Set the feedback divisor of the PLL, as software of others may."""
        self._words[self.IO_PLL] = feedback << self._FEEDBACK_LOW


class UltrascaleClocks(ClockRegisters):
    """Those of CRL_APB of a Zynq UltraScale+: PL clocks at 100 MHz to begin with.

    Args:
        changed: called after each write.
        pll: which PLL they are divided from, ``IOPLL`` or ``RPLL``.
        pll_hz: frequency of the PLL.
    """

    BASE = 0xFF5E0000
    PL0 = 0xC0
    _PLLS: Mapping[str, tuple[int, int]] = {"IOPLL": (0x20, 0), "RPLL": (0x30, 2)}
    """Control register of each PLL, and its number among the sources of a clock."""
    _FEEDBACK_LOW, _HALF, _DIVISOR_LOW = 8, 1 << 16, (8, 16)

    def __init__(self, changed: Callable[[], None], pll: str, pll_hz: float) -> None:
        super().__init__(changed)
        self._pll, source = self._PLLS[pll]
        for control, _ in self._PLLS.values():
            self._words[control] = self._HALF
            self.spoil(round(2 * pll_hz / ULTRASCALE_CRYSTAL_HZ), control)
        ratio = round(pll_hz / 100e6)
        for clock in range(4):
            self._words[self.PL0 + 4 * clock] = 1 << 24 | 1 << 16 | ratio << 8 | source

    @property
    def fabric_hz(self) -> float:
        """The overlay's clock, PL0."""
        control, word = self._words[self._pll], self._words[self.PL0]
        feedback = control >> self._FEEDBACK_LOW & 0x7F
        half = 2 if control & self._HALF else 1
        divisors = [max(1, word >> low & 0x3F) for low in self._DIVISOR_LOW]
        return ULTRASCALE_CRYSTAL_HZ * feedback / half / (divisors[0] * divisors[1])

    def spoil(self, feedback: int, control: int | None = None) -> None:
        """Set the feedback divisor of the PLL, as software of others may."""
        control = self._pll if control is None else control
        self._words[control] = self._words[control] & ~0x7F00 | feedback << self._FEEDBACK_LOW


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


class RegisterWindow:
    """A range of registers that pynq's `MMIO` takes for a numpy array of 32-bit words.

    Args:
        peripheral: what the words belong to.
        offset: offset of the first word, in bytes.
        words: how many.
    """

    __slots__ = ("_offset", "_read", "_words", "_write")

    def __init__(self, peripheral: Peripheral, offset: int, words: int) -> None:
        self._read, self._write = peripheral.read, peripheral.write
        self._offset, self._words = offset, words

    def __len__(self) -> int:
        return self._words

    def __getitem__(self, index: int | slice) -> int | RegisterWindow:
        if isinstance(index, slice):
            start, stop, _ = index.indices(self._words)
            part = object.__new__(RegisterWindow)
            part._read, part._write = self._read, self._write
            part._offset, part._words = self._offset + 4 * start, stop - start
            return part
        return self._read(self._at(index))

    def __setitem__(self, index: int, value: int) -> None:
        self._write(self._at(index), int(value))

    def view(self, dtype: str = "u4") -> RegisterWindow:
        """Return the same words; they have 32 bits, whatever `dtype` says."""
        return self

    def _at(self, index: int) -> int:
        if not 0 <= index < self._words:
            raise IndexError(f"word {index} of a window of {self._words}")
        return self._offset + 4 * index
