"""A board, as one file of data says it: `files/NAME.json`.

A file has these fields; addresses are texts in hexadecimal:

    image              what its PYNQ image calls it: BOARD there, and the name of pynq's device
    title              maker and name
    part, board_part   the FPGA, and the board's own files, as Vivado has them
    family             of the FPGA, as Yosys has it: xc7, xcup
    processing_system  ps7 (Zynq-7000) or ps8 (Zynq UltraScale+)
    control            its port to the logic, that port's width in bits, and where the registers of
                       the overlay and of the interrupt controller lie
    logic              first and last address at which the programmable logic answers
    memory             the ports of core 0 and core 1, their width in bits, the bytes that they
                       reach from address 0 on, and bytes a second for reads and writes together
    clock              the PLL that the overlay's clock is divided from, and the highest clock
    resources          of the FPGA
    pynq               versions of pynq whose images exist for it
    power_rail         the rail of pynq's that feeds all others; null where none is known, or where
                       there are no sensors
    ddr                settings of the processing system, for where `board_part` is not installed
    sources            where this is from

The file's name is `image` in lower case. The runner on a
board reads these files, too: Python 3.8 and nothing else.
"""

from __future__ import annotations

import functools
import json
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specbp.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIMULATED = "simulated"
"""A build for the simulated board is for this, or for this, a dash, and the board simulated."""
USUAL = "pynq-z2"
"""What is simulated where no board is named."""


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        name: the file's name, which is what its image calls it, in lower case.
        image: what the board's PYNQ image calls it.
        title: maker and name, for people.
        part: Vivado's name of the FPGA.
        board_part: Vivado's name of the board's files; a build does without where they are
            absent.
        family: Yosys' name of the FPGA's family.
        processing_system: ``ps7`` or ``ps8``.
        control_port: the processing system's master to the logic.
        control_width: bits of `control_port`.
        base: address of the overlay's registers.
        controller_base: address of the interrupt controller's registers.
        logic: first and last address at which the programmable logic answers.
        memory_ports: the processing system's slaves for core 0 and core 1.
        memory_width: bits of each of `memory_ports`.
        memory_bytes: bytes from address 0 on that `memory_ports` reach.
        bytes_per_s: what the memory controller moves, reads and writes together.
        pll: name of the PLL that the overlay's clock is divided from.
        pll_mhz: frequency of the PLL.
        most_mhz: highest clock of the ports between processing system and logic.
        resources: LUTs, memory LUTs, flip-flops, block RAMs of 36 kbit and DSPs of the FPGA.
        pynq: versions of pynq whose images exist for this board.
        power_rail: pynq's name of the rail that feeds all others; None where none is known.
        ddr: settings of the processing system where `board_part` is not installed.
    """

    name: str
    image: str
    title: str
    part: str
    board_part: str
    family: str
    processing_system: str
    control_port: str
    control_width: int
    base: int
    controller_base: int
    logic: tuple[int, int]
    memory_ports: Sequence[str]
    memory_width: int
    memory_bytes: int
    bytes_per_s: float
    pll: str
    pll_mhz: float
    most_mhz: float
    resources: Mapping[str, float]
    pynq: Sequence[str]
    power_rail: str | None
    ddr: Mapping[str, str]


@functools.lru_cache(maxsize=None)
def board_named(name: str) -> Board:
    """Return the board that is called `name`, simulated or not, in upper or lower case.

    >>> board_named("Pynq-Z2").part
    'xc7z020clg400-1'

    Raises:
        UsageError: there is no file of this name.
    """
    stem = USUAL if name == SIMULATED else _without_simulated(name.lower())
    # By the loader: the runner on a board is one archive.
    text = _content(stem) if re.fullmatch("[a-z0-9-]{1,40}", stem) else None
    if text is None:
        known = board_names()
        choices = f"{nearest(name, known)}: choose one of {', '.join(known)}" if known else ""
        raise UsageError(f'unknown board "{name[:60]}"{choices}')
    return _board(stem, json.loads(text))


def board_names() -> list[str]:
    """Return the names of all boards; none where this package is an archive."""
    return sorted(path.stem for path in (Path(__file__).parent / "files").glob("*.json"))


def _without_simulated(name: str) -> str:
    start = SIMULATED + "-"
    return name[len(start) :] if name.startswith(start) else name


def _content(stem: str) -> bytes | None:
    try:
        return pkgutil.get_data(__package__, f"files/{stem}.json")
    except OSError:
        return None


def _board(name: str, said: Mapping[str, Any]) -> Board:
    control, memory, clock = said["control"], said["memory"], said["clock"]
    first, last = (int(address, 16) for address in said["logic"])
    return Board(
        name=name,
        image=said["image"],
        title=said["title"],
        part=said["part"],
        board_part=said["board_part"],
        family=said["family"],
        processing_system=said["processing_system"],
        control_port=control["port"],
        control_width=control["width"],
        base=int(control["overlay"], 16),
        controller_base=int(control["interrupts"], 16),
        logic=(first, last),
        memory_ports=tuple(memory["ports"]),
        memory_width=memory["width"],
        memory_bytes=int(memory["bytes"], 16),
        bytes_per_s=memory["bytes_per_s"],
        pll=clock["pll"],
        pll_mhz=clock["pll_mhz"],
        most_mhz=clock["most_mhz"],
        resources=said["resources"],
        pynq=tuple(said["pynq"]),
        power_rail=said["power_rail"],
        ddr=said["ddr"],
    )
