"""INTERRUPT_STATUS keeps an event, in whichever cycle of a write that clears it the event comes."""

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from driving import start

INTERRUPT_STATUS = 0x54
CYCLES = 8
"""A write takes less."""


async def clear(dut, bits, events):
    """Write `bits` while `events[N]` happen in cycle N; return the status cycle by cycle."""
    dut.s_axil_awaddr.value, dut.s_axil_wdata.value = INTERRUPT_STATUS, bits
    dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 1
    seen = []
    for cycle in range(CYCLES):
        dut.event_i.value = events.get(cycle, 0)
        await ReadOnly()
        seen.append(int(dut.status_o.value))
        address = dut.s_axil_awvalid.value and dut.s_axil_awready.value
        data = dut.s_axil_wvalid.value and dut.s_axil_wready.value
        await RisingEdge(dut.clk_i)
        if address:
            dut.s_axil_awvalid.value = 0
        if data:
            dut.s_axil_wvalid.value = 0
    dut.event_i.value = 0
    await ReadOnly()
    seen.append(int(dut.status_o.value))
    await RisingEdge(dut.clk_i)
    return seen


@cocotb.test()
async def an_event_in_the_cycle_of_the_write_stays(dut):
    await start(dut, event_i=0, s_axil_awvalid=0, s_axil_wvalid=0, s_axil_bready=1, s_axil_wstrb=15)
    for bit in (1, 2):
        both = await clear(dut, bit, {0: 3})
        # The register shows what a cycle made of it one cycle later.
        at = both.index(3 & ~bit) - 1
        assert both[at] == 3
        await clear(dut, 3, {})
        for cycle in range(CYCLES):
            seen = await clear(dut, bit, {cycle: bit})
            assert seen[cycle + 1] == bit or cycle > at, (bit, cycle)
            assert seen[-1] == (bit if cycle >= at else 0), (bit, cycle, at, seen)
            await clear(dut, 3, {})
