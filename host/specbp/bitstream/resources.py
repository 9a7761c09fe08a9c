"""What the overlay takes of an FPGA, as Yosys estimates it: no place and route, no clock."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specbp.boards.board import Board
from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import rtl_files

TOP = "specbp_overlay"
MEMORY_LUTS = {"RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4}
"""LUTs of memories in LUTs, by the start of their cells' names."""
_SYNTHESIS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


@dataclass(frozen=True)
class Resources:
    """Cells of an FPGA.

    Attributes:
        luts: LUTs used as logic and as memory together.
        memory_luts: LUTs of these that are memory.
        flip_flops: registers outside of block RAM and DSPs.
        block_rams: RAMB36; a RAMB18 is half of one.
        dsps: DSP48E1, or DSP48E2.
    """

    luts: int
    memory_luts: int
    flip_flops: int
    block_rams: float
    dsps: int

    def share_of(self, whole: Resources) -> dict[str, float]:
        """Return the share of `whole` that each kind takes."""
        return {
            "luts": self.luts / whole.luts,
            "flip_flops": self.flip_flops / whole.flip_flops,
            "block_rams": self.block_rams / whole.block_rams,
            "dsps": self.dsps / whole.dsps,
        }


def resources_of(board: Board) -> Resources:
    """Return what the FPGA of `board` has."""
    return Resources(**board.resources)  # type: ignore[arg-type]


def estimate(parameters: Parameters, family: str = "xc7") -> Resources:
    """Synthesise the overlay with Yosys and count its cells; this takes minutes.

    Args:
        parameters: those of the overlay.
        family: Yosys' name of the FPGA family: ``xc7``, ``xcup``.

    Raises:
        SpecbpError: Yosys is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="specbp-") as folder:
        return count(synthesise(parameters, Path(folder), family))


def synthesise(parameters: Parameters, folder: Path, family: str = "xc7") -> Path:
    """Synthesise the overlay with Yosys into `folder`; return its flat netlist, in JSON.

    Args:
        parameters: those of the overlay.
        folder: where the netlist goes.
        family: ``xc7`` or ``xcup`` of Xilinx, or ``ecp5`` of Lattice, for which there is an open
            place and route.

    Raises:
        SpecbpError: Yosys is missing or failed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise SpecbpError('Yosys is missing: pip install "specbp[rtl]"')
    netlist = folder / f"{family}.json"
    done = subprocess.run(
        [sys.executable, "-c", _SYNTHESIS, *_commands(parameters, netlist, family)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-5:])
        raise SpecbpError(f"Yosys failed:\n{last}")
    return netlist


def count(netlist: Path) -> Resources:
    """Return the cells of a flat netlist for an FPGA of Xilinx."""
    modules = json.loads(netlist.read_text())["modules"].values()
    (top,) = [module for module in modules if module.get("attributes", {}).get("top")]
    return _counted(Counter(cell["type"] for cell in top["cells"].values()))


def _commands(parameters: Parameters, netlist: Path, family: str) -> tuple[str, ...]:
    # A plain number is signed there; the identifier needs all 32 bits.
    given = " ".join(f"-G {name}=32'd{value}" for name, value in parameters.verilog.items())
    files = " ".join(map(str, rtl_files()))
    synthesis = f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top {TOP}"
    if family == "ecp5":
        synthesis = f"synth_ecp5 -top {TOP}"
    return (
        f"read_slang --top {TOP} {given} {files}",
        synthesis,
        f"write_json {netlist}",
    )


def _counted(cells: Mapping[str, int]) -> Resources:
    def of(*prefixes: str) -> int:
        return sum(number for name, number in cells.items() if name.startswith(prefixes))

    memory = sum(
        number * next(size for start, size in MEMORY_LUTS.items() if name.startswith(start))
        for name, number in cells.items()
        if name.startswith(tuple(MEMORY_LUTS))
    )
    return Resources(
        luts=of("LUT") + memory,
        memory_luts=memory,
        flip_flops=of("FD"),
        block_rams=of("RAMB36") + of("RAMB18") / 2,
        dsps=of("DSP"),
    )
