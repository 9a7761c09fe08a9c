"""The boards that a bitstream can be built for."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.errors import UsageError, nearest


@dataclass(frozen=True)
class Target:
    """A board.

    Attributes:
        name: as the command line has it.
        part: the device, as Vivado has it; empty for the simulation.
        board_part: as Vivado's board files call it; the build does without where they are absent.
        preset: DDR, clocks and pins of the processing system, as Tcl of `vivado/`.
    """

    name: str
    part: str
    board_part: str
    preset: str

    @property
    def simulated(self) -> bool:
        """Whether its bitstreams are for the simulated overlay only."""
        return not self.part


ZYNQ_7020 = "xc7z020clg400-1"
TARGETS = {
    target.name: target
    for target in (
        Target("pynq-z1", ZYNQ_7020, "www.digilentinc.com:pynq-z1:part0:1.0", "pynq-z1"),
        Target("pynq-z2", ZYNQ_7020, "tul.com.tw:pynq-z2:part0:1.0", "pynq-z2"),
        Target("simulated", "", "", ""),
    )
}


def target_named(name: str) -> Target:
    """Return the board with this name.

    Raises:
        UsageError: there is none.
    """
    if name not in TARGETS:
        choices = ", ".join(TARGETS)
        raise UsageError(f'unknown board "{name}"{nearest(name, TARGETS)}: choose one of {choices}')
    return TARGETS[name]
