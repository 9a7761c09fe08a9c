"""Runs one program on the overlay under cocotb, beside its memory; see test_cocotb.py.

SPECBP_PROGRAM names an .npz with the memory, where it lies, and the registers to write; what came
out is written to SPECBP_RESULT.
"""

import os
import time

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

PERIOD_NS = 10


@cocotb.test()
async def run(dut):
    given = np.load(os.environ["SPECBP_PROGRAM"])
    cocotb.start_soon(Clock(dut.clk_i, PERIOD_NS, "ns").start())
    dut.rst_ni.value = 0
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, dut.rst_ni, False)
    memory = AxiRam(
        AxiBus.from_prefix(dut, "m0_axi"), dut.clk_i, dut.rst_ni, False, size=len(given["memory"])
    )
    memory.write(0, given["memory"].tobytes())
    for _ in range(4):
        await RisingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    for offset, value in given["registers"]:
        await host.write_dword(int(offset), int(value))
    started, first = time.perf_counter(), get_sim_time("ns")
    await RisingEdge(dut.interrupt_o)
    seconds, cycles = time.perf_counter() - started, (get_sim_time("ns") - first) / PERIOD_NS
    after = np.frombuffer(memory.read(0, len(given["memory"])), np.uint8)
    np.savez(os.environ["SPECBP_RESULT"], seconds=seconds, cycles=cycles, memory=after)
