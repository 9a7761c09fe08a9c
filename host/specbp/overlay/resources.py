"""What the overlay takes of an XC7Z020, as Yosys estimates it: no place and route, no clock."""

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
from typing import Literal

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import rtl_files

TOP = "specbp_overlay"
Family = Literal["xc7", "ecp5"]
MEMORY_LUTS = 4
"""LUTs of a RAM32M or a RAM64M."""
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
        luts: as logic and as memory together.
        memory_luts: of these, as memory.
        flip_flops: registers outside of block RAM and DSPs.
        block_rams: RAMB36; a RAMB18 is half of one.
        dsps: DSP48E1.
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


XC7Z020 = Resources(luts=53_200, memory_luts=17_400, flip_flops=106_400, block_rams=140, dsps=220)


def estimate(parameters: Parameters) -> Resources:
    """Synthesise the overlay with Yosys and count its cells; this takes minutes.

    Raises:
        SpecbpError: Yosys is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="specbp-") as folder:
        return count(synthesise(parameters, Path(folder)))


def synthesise(parameters: Parameters, folder: Path, family: Family = "xc7") -> Path:
    """Synthesise the overlay with Yosys into `folder`; return its flat netlist, in JSON.

    Args:
        parameters: those of the overlay.
        folder: where the netlist goes.
        family: Xilinx 7-series, or Lattice ECP5, for which there is an open place and route.

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
    """Return the cells of a flat netlist for 7-series."""
    modules = json.loads(netlist.read_text())["modules"].values()
    (top,) = [module for module in modules if module.get("attributes", {}).get("top")]
    return _counted(Counter(cell["type"] for cell in top["cells"].values()))


def _commands(parameters: Parameters, netlist: Path, family: Family) -> tuple[str, ...]:
    # A plain number is signed there; the identifier needs all 32 bits.
    given = " ".join(f"-G {name}=32'd{value}" for name, value in parameters.verilog.items())
    files = " ".join(map(str, rtl_files()))
    synthesis = {
        "xc7": f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {TOP}",
        "ecp5": f"synth_ecp5 -top {TOP}",
    }
    return (
        f"read_slang --top {TOP} {given} {files}",
        synthesis[family],
        f"write_json {netlist}",
    )


def _counted(cells: Mapping[str, int]) -> Resources:
    def of(*prefixes: str) -> int:
        return sum(number for name, number in cells.items() if name.startswith(prefixes))

    memory = MEMORY_LUTS * of("RAM32M", "RAM64M")
    return Resources(
        luts=of("LUT") + memory,
        memory_luts=memory,
        flip_flops=of("FD"),
        block_rams=of("RAMB36") + of("RAMB18") / 2,
        dsps=of("DSP"),
    )
