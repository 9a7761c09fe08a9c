"""Builds a bitstream with Vivado, whose scripts get all names and numbers from here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from specbp.bitstream.making import finish
from specbp.bitstream.targets import Target
from specbp.boards.processing_system import clock_divisors, processing_system
from specbp.doctor.machine import VIVADO_VERSIONS, find_vivado
from specbp.errors import SpecbpError
from specbp.onboard.build import Build
from specbp.overlay import hwh, register_map
from specbp.overlay.parameters import Parameters
from specbp.overlay.register import Register, of_cores
from specbp.overlay.sources import HARDWARE, rtl_files

SCRIPTS = HARDWARE / "vivado"
TOP = "specbp_overlay_ip"
"""The packaged IP's top module, in Verilog: the IP packager takes no SystemVerilog."""
WORK = "vivado"
"""The folder of a build in which Vivado works; kept when it fails."""
STAGE = "specbp stage: "
"""With what `build.tcl` begins a line that says what Vivado does next."""
CONTROL_PORT, CLOCK_PIN, RESET_PIN, INTERRUPT_PIN = "s_axil", "clk_i", "rst_ni", "interrupt_o"
_UTILISATION = {
    "lut": "(?:Slice|CLB) LUTs",
    "ff": "(?:Slice|CLB) Registers",
    "bram": "Block RAM Tile",
    "dsp": "DSPs",
}


def build_with_vivado(
    folder: Path,
    target: Target,
    parameters: Parameters,
    clock_mhz: float,
    begin: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Build a bitstream for a real board into `folder`.

    Vivado works in a folder of its own in there. It is deleted when all went well, and kept when
    Vivado failed or the clock was missed: with log, reports, checkpoints and bitstream.

    Args:
        folder: made where it is missing.
        target: what the build is for.
        parameters: parameters of the overlay.
        clock_mhz: clock that the design is to reach, MHz.
        begin: hears which stage begins.

    Raises:
        SpecbpError: Vivado is missing or failed; the message says what does not need it.
    """
    program = find_vivado()
    if program is None:
        first, last = VIVADO_VERSIONS
        raise SpecbpError(
            f"a bitstream for {target.name} needs Vivado {first} to {last}, which is not on PATH: "
            "install it and source its settings64.sh. All else works without: training, sim:rtl, "
            "reports, deploying a bitstream built elsewhere, and specbp overlay build --board "
            "simulated"
        )
    work = folder / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    given = settings(target, parameters, clock_mhz, work.resolve())
    (work / "settings.tcl").write_text(tcl_list(given))
    _run(program, work.resolve(), begin)
    build = finish(
        folder,
        target,
        parameters,
        clock_mhz,
        (work / f"{hwh.DESIGN}.bit").read_bytes(),
        (work / f"{hwh.DESIGN}.hwh").read_bytes(),
        facts(work),
    )
    shutil.rmtree(work)
    return build


def _run(program: str, work: Path, begin: Callable[[str], None]) -> None:
    log = work / "vivado.log"
    flags = ("-mode", "batch", "-nojournal", "-log", str(log))
    script = ("-source", str(SCRIPTS / "build.tcl"), "-tclargs", str(work / "settings.tcl"))
    command = [program, *flags, *script]
    begin(f"Vivado starts; its log is {log}")
    lines = []
    with subprocess.Popen(
        command, cwd=work, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith(STAGE):
                begin(f"Vivado: {line.removeprefix(STAGE).strip()}")
    if not process.returncode:
        return
    if not log.exists():
        log.write_text("".join(lines))
    said = [line.strip() for line in lines if line.startswith("ERROR")]
    raise SpecbpError(
        f"Vivado failed: {(said or ['no message'])[0]}; its log, its reports and what it made so "
        f"far are in {work}, until the next build into this folder"
    )


def settings(
    target: Target, parameters: Parameters, clock_mhz: float, work: Path
) -> dict[str, Any]:
    """Return what the scripts are told, as `build.tcl` says; `work` is where they write.

    Raises:
        UsageError: the board has no such clock.
    """
    board = target.board
    system = processing_system(board)
    clock_divisors(board, clock_mhz)
    targets = [system.memory_port(name) for name in board.memory_ports[: parameters.cores]]
    return {
        "design": hwh.DESIGN,
        "instance": hwh.INSTANCE,
        "vlnv": hwh.VLNV,
        "top": TOP,
        "part": target.part,
        "board_part": board.board_part,
        "rtl": [str(path) for path in (*rtl_files(), SCRIPTS / f"{TOP}.v")],
        "parameters": [part for pair in parameters.ip.items() for part in pair],
        "user_id": f"0x{parameters.build_identifier:08X}",
        "families": [system.architecture, "Production"],
        "ps": system.instance,
        "ps_vlnv": system.vlnv,
        "ps_rule": system.rule,
        "ps_properties": system.properties(board, parameters.cores, clock_mhz),
        "ps_clock_pin": system.clock_pin,
        "ps_reset_pin": system.reset_pin,
        "ps_interrupt_pin": system.interrupt_pin,
        "ps_control_port": board.control_port,
        "ps_control_clock": system.control_clock(board.control_port),
        "base": f"0x{board.base:08X}",
        "span": hwh.SPAN,
        "controller_base": f"0x{board.controller_base:08X}",
        "controller_span": hwh.CONTROLLER_SPAN,
        "control_port": CONTROL_PORT,
        "memory_ports": memory_ports(),
        # Those of cores that are not built stay open.
        "memory_connections": [
            [port, target.name, target.clock_pin, target.segment]
            for port, target in zip(memory_ports(), targets, strict=False)
        ],
        "memory_bytes": f"0x{board.memory_bytes:08X}",
        "clock_pin": CLOCK_PIN,
        "reset_pin": RESET_PIN,
        "interrupt_pin": INTERRUPT_PIN,
        "registers": list(_registers(of_cores(register_map.REGISTERS, parameters.cores))),
        "ddr": board.ddr,
        "ip_folder": str(work / "package"),
        "project_folder": str(work / "project"),
        "output": str(work),
        "jobs": os.cpu_count() or 1,
    }


def memory_ports() -> list[str]:
    """Return the AXI masters of the packaged IP, as its ports are named."""
    text = (SCRIPTS / f"{TOP}.v").read_text()
    return re.findall(r"output\s+wire\s*\[31:0\]\s*(\w+)_awaddr\b", text)


def tcl_list(value: Any) -> str:
    """Return `value` as a Tcl list: a mapping as names and values in turn."""
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        return " ".join(f"{{{tcl_list(part)}}}" for part in value)
    text = str(value)
    # Braces must balance, and a backslash would change its neighbour.
    return re.sub(r"[{}\\]", "", text)


def facts(output: Path) -> dict[str, Any]:
    """Return what the manifest says of a run of Vivado: its version, slack and utilisation."""
    lines = (line.partition(" ") for line in (output / "results.txt").read_text().splitlines())
    found: dict[str, Any] = {name: value for name, _, value in lines}
    for name in ("slack_ns", "hold_slack_ns"):
        found[name] = float(found[name])
    found["utilisation"] = utilisation((output / "utilisation.rpt").read_text())
    return found


def utilisation(report: str) -> dict[str, float]:
    """Return LUTs, flip-flops, block RAMs of 36 Kb and DSPs of Vivado's utilisation report."""
    found = {}
    for name, row in _UTILISATION.items():
        match = re.search(rf"^\|\s*{row}\*?\s*\|\s*([\d.]+)\s*\|", report, re.MULTILINE)
        if match:
            found[name] = float(match[1])
    return found


def _registers(registers: Iterable[Register]) -> Iterable[list[Any]]:
    """Yield name, offset, description and fields; 64 bits as two registers, as in the handoff."""
    for register in registers:
        fields = [[field.name, field.low, min(field.width, 32)] for field in register.fields]
        halves = ["_LOW", "_HIGH"] if register.bits == 64 else [""]
        for number, half in enumerate(halves):
            offset = f"0x{register.offset + 4 * number:03X}"
            yield [register.name + half, offset, register.description, fields]
