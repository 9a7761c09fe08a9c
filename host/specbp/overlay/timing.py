"""How fast the memory behind the overlay is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryTiming:
    """How the memory behind a Zynq-7000 HP port answers.

    The figures are for PYNQ-Z1 and PYNQ-Z2: DDR3 of 16 bits at 1,050 Mb/s, of which the
    controller can use 75% (UG585, chapter 22): 1.575 GB/s for reads and writes together. One
    64-bit port at 100 MHz asks for at most 0.8 GB/s in each direction. The latencies are assumed,
    as typical of an HP port with an idle controller; they are not from a data sheet.

    Attributes:
        read_latency_ns: from a read request to its first data.
        write_latency_ns: from the last data of a write to its acknowledgement.
        bytes_per_s: reads and writes together.
        outstanding: bursts that the port accepts in each direction before it has answered.
    """

    read_latency_ns: float = 320.0
    write_latency_ns: float = 200.0
    bytes_per_s: float = 1.575e9
    outstanding: int = 8

    def at(self, clock_hz: float) -> PortTiming:
        """Return the same in cycles of a clock."""
        return PortTiming(
            max(1, round(self.read_latency_ns * 1e-9 * clock_hz)),
            max(1, round(self.write_latency_ns * 1e-9 * clock_hz)),
            self.bytes_per_s / clock_hz,
        )


@dataclass(frozen=True)
class PortTiming:
    """The same in clock cycles.

    Attributes:
        read_latency: from a read request to its first data.
        write_latency: from the last data of a write to its acknowledgement.
        bytes_per_cycle: reads and writes together.
    """

    read_latency: int
    write_latency: int
    bytes_per_cycle: float
