"""What the tests of blocks share."""

import os
import random

import cocotb
from cocotb.triggers import RisingEdge, Timer

SEED = int(os.environ.get("SPECBP_SEED", "1"))


def packed(values, bits):
    """Return `values`, the first lowest, as one number of fields of `bits`."""
    return sum((value & (1 << bits) - 1) << bits * place for place, value in enumerate(values))


def fields(value, bits, count):
    """Return the `count` signed fields of `bits` of a number."""
    raw = [int(value) >> bits * place & (1 << bits) - 1 for place in range(count)]
    return [one - (one >> bits - 1 << bits) for one in raw]


async def clock(dut):
    """Run the clock of `dut`; all its names rise and fall together."""
    names = [port for port in dut if port._name.endswith("clk_i")]
    while True:
        for level in (0, 1):
            for name in names:
                name.value = level
            await Timer(5, "ns")


async def start(dut, **inputs):
    """Clock and reset `dut`; its abort is 0, where it has one. Returns random numbers."""
    cocotb.start_soon(clock(dut))
    aborts = ["abort_i"] if hasattr(dut, "abort_i") else []
    for name in (*aborts, "rst_ni", *inputs):
        getattr(dut, name).value = inputs.get(name, 0)
    for _ in range(3):
        await RisingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    await RisingEdge(dut.clk_i)
    return random.Random(SEED)
