"""What the overlay takes of an XC7Z020, as Yosys estimates it: no place and route, no clock."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import rtl_files

TOP = "specbp_overlay"
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
    if importlib.util.find_spec("pyosys") is None:
        raise SpecbpError('Yosys is missing: pip install "specbp[rtl]"')
    with tempfile.TemporaryDirectory(prefix="specbp-") as folder:
        report = Path(folder) / "stat.json"
        done = subprocess.run(
            [sys.executable, "-c", _SYNTHESIS, *_commands(parameters, report)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "\n".join(done.stdout.strip().splitlines()[-5:])
            raise SpecbpError(f"Yosys failed:\n{last}")
        return _counted(json.loads(report.read_text())["design"]["num_cells_by_type"])


def _commands(parameters: Parameters, report: Path) -> tuple[str, ...]:
    # A plain number is signed there; the identifier needs all 32 bits.
    given = " ".join(f"-G {name}=32'd{value}" for name, value in parameters.verilog.items())
    files = " ".join(map(str, rtl_files()))
    return (
        f"read_slang --top {TOP} {given} {files}",
        f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {TOP}",
        f"tee -q -o {report} stat -json",
    )


def _counted(cells: dict[str, int]) -> Resources:
    def count(*prefixes: str) -> int:
        return sum(number for name, number in cells.items() if name.startswith(prefixes))

    memory = MEMORY_LUTS * count("RAM32M", "RAM64M")
    return Resources(
        luts=count("LUT") + memory,
        memory_luts=memory,
        flip_flops=count("FD"),
        block_rams=count("RAMB36") + count("RAMB18") / 2,
        dsps=count("DSP"),
    )
