"""The simulated board beside cocotb on the same Verilated overlay: one training step of lenet5.

Both run the same program on the same memory, so the memory afterwards is the same, too. cocotb has
the clock and both buses in Python, its memory answers at once; what is compared are cycles/s.
"""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cocotb", reason="needs the extra rtl")
pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.overlay import register_map as registers
from specbp.overlay.parameters import Parameters
from specbp.overlay.sources import rtl_files
from tests.overlay.cocotb_runner import cocotb_runner
from tests.overlay.networks import lenet5_step

AT_LEAST = 30
ROUNDS = 5
WATCHDOG = 1_000_000


def test_faster_than_cocotb(tmp_path, monkeypatch):
    parameters = Parameters(lanes=16)
    ours, after = on_simulated_board(parameters)
    theirs, their_memory = under_cocotb(tmp_path, monkeypatch, parameters, after)
    print(
        f"\nsimulated board {ours:,.0f} cycles/s, cocotb {theirs:,.0f}: {ours / theirs:.0f} times"
    )
    assert np.array_equal(after["result"], their_memory)
    assert ours >= AT_LEAST * theirs


def on_simulated_board(parameters):
    """Return cycles/s, and memory and registers of the run."""
    import pynq

    from specbp.simulation.simulated import SimulatedDevice

    device = SimulatedDevice(parameters)
    try:
        driver = pynq.Overlay(device.bitstream, device=device).specbp_0
        compiled = lenet5_step(1, parameters)
        size = compiled.memory.size
        tensors = driver.allocate(size)
        before = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        words, rates = compiled.at(tensors.device_address).words, []
        for _ in range(ROUNDS):
            tensors[:] = before
            tensors.flush()
            started = time.perf_counter()
            run = driver.run(words, [tensors], deadline_s=600, watchdog=WATCHDOG)
            rates.append(run.cycles / (time.perf_counter() - started))
        tensors.invalidate()
        print(
            f"\n{max(rates):,.0f} cycles/s, {max(rates) * run.multiplying / run.cycles:,.0f} of "
            f"them multiply; {run.cycles:,} cycles"
        )
        return max(rates), {
            "tensors": before,
            "words": words,
            "address": tensors.device_address,
            "result": np.array(tensors),
        }
    finally:
        device.close()


def under_cocotb(folder, monkeypatch, parameters, given):
    """Return cycles/s, and the tensors after the run."""
    size = 1 << int(len(given["tensors"]) + given["words"].nbytes).bit_length()
    memory = np.zeros(size, np.uint8)
    # Addresses count modulo the size of cocotb's memory.
    start = given["address"] % size
    places = (start + np.arange(len(given["tensors"]))) % size
    program = -(-(given["address"] + len(given["tensors"])) // 64) * 64
    memory[places] = given["tensors"]
    memory[(program + np.arange(given["words"].nbytes)) % size] = (
        given["words"].view(np.uint8).ravel()
    )
    last = given["address"] + len(given["tensors"]) - 1
    written = [
        (registers.WINDOW_FIRST.offset, given["address"]),
        (registers.WINDOW_LAST.offset, last),
        (registers.PROGRAM_ADDRESS.of_core(0).offset, program),
        (registers.PROGRAM_LENGTH.of_core(0).offset, len(given["words"])),
        (registers.WATCHDOG.offset, WATCHDOG),
        (registers.INTERRUPT_ENABLE.offset, 3),
        (registers.CONTROL.offset, registers.CONTROL.field("start").mask),
    ]
    np.savez(folder / "given.npz", memory=memory, registers=np.array(written, np.int64))
    monkeypatch.setenv("COCOTB_LOG_LEVEL", "WARNING")  # a line for each burst costs time
    monkeypatch.setenv("SPECBP_PROGRAM", str(folder / "given.npz"))
    monkeypatch.setenv("SPECBP_RESULT", str(folder / "result.npz"))
    runner = cocotb_runner(monkeypatch, Path(__file__).parent, "-O3")
    runner.build(
        sources=rtl_files(),
        hdl_toplevel="specbp_overlay",
        parameters=parameters.verilog,
        build_args=["--no-assert", "-Wno-fatal"],
        build_dir=folder,
        timescale=("1ns", "1ps"),
    )
    runner.test(
        hdl_toplevel="specbp_overlay",
        test_module="cocotb_program",
        build_dir=folder,
        test_dir=folder,
    )
    result = np.load(folder / "result.npz")
    return float(result["cycles"] / result["seconds"]), result["memory"][places]
