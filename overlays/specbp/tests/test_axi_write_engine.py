"""The write engine against cocotbext-axi's memory: every byte where it belongs, no other."""

import os
import random

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiRamWrite, AxiWriteBus
from driving import clock

SIZE = 1 << 16
SEED = int(os.environ.get("SPECBP_SEED", "1"))


class Bench:
    """Clock, reset and memory around the engine."""

    def __init__(self, dut):
        self.dut = dut
        self.random = random.Random(SEED)
        cocotb.start_soon(clock(dut))
        for name in ("abort_i", "cmd_valid_i", "data_valid_i", "data_i", "cmd_address_i"):
            getattr(dut, name).value = 0
        bus = AxiWriteBus.from_prefix(dut, "m_axi")
        self.memory = AxiRamWrite(bus, dut.clk_i, dut.rst_ni, False, size=SIZE)
        self.expected = bytearray(self.random.randbytes(SIZE))
        self.memory.write(0, bytes(self.expected))
        self.bursts, self.strobes = [], []
        cocotb.start_soon(self.watch("aw", ("awaddr", "awlen"), self.bursts))
        cocotb.start_soon(self.watch("w", ("wdata", "wstrb", "wlast"), self.strobes))

    async def reset(self):
        self.dut.rst_ni.value = 0
        for _ in range(4):
            await RisingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 1
        await RisingEdge(self.dut.clk_i)

    async def watch(self, channel, names, into):
        """Record what a channel hands over; it must not change before it is taken."""
        dut, held = self.dut, None
        valid, ready = (getattr(dut, f"m_axi_{channel}{end}") for end in ("valid", "ready"))
        while True:
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            now = None
            if dut.rst_ni.value == 1 and valid.value == 1:
                now = tuple(int(getattr(dut, f"m_axi_{name}").value) for name in names)
            assert held is None or now == held, f"{channel} changed before it was taken"
            taken = now is not None and ready.value == 1
            if taken:
                into.append(now)
            held = None if taken else now

    def pause(self, chance):
        def pauses():
            while True:
                yield self.random.random() < chance

        for channel in ("aw_channel", "w_channel", "b_channel"):
            getattr(self.memory, channel).set_pause_generator(pauses())

    async def command(self, address, size):
        """Send a command for `size` bytes."""
        dut = self.dut
        dut.cmd_address_i.value, dut.cmd_beats_i.value = address, -(-size // 8)
        dut.cmd_last_strobes_i.value = 0xFF >> (-size % 8)
        dut.cmd_valid_i.value = 1
        await RisingEdge(dut.clk_i)
        while dut.cmd_ready_o.value == 0:
            await RisingEdge(dut.clk_i)
        dut.cmd_valid_i.value = 0

    async def send(self, data, chance):
        """Send `data`, padded to whole beats, pausing at random."""
        dut = self.dut
        data += bytes(-len(data) % 8)
        for start in range(0, len(data), 8):
            while self.random.random() < chance:
                dut.data_valid_i.value = 0
                await RisingEdge(dut.clk_i)
            dut.data_i.value = int.from_bytes(data[start : start + 8], "little")
            dut.data_valid_i.value = 1
            await RisingEdge(dut.clk_i)
            while dut.data_ready_o.value == 0:
                await RisingEdge(dut.clk_i)
        dut.data_valid_i.value = 0

    async def idle(self):
        for _ in range(5000):
            await RisingEdge(self.dut.clk_i)
            if self.dut.idle_o.value == 1:
                return
        raise AssertionError("never idle")


@cocotb.test()
@cocotb.parametrize(chance=[0.0, 0.3, 0.8])
async def random_writes(dut, chance):
    bench = Bench(dut)
    await bench.reset()
    bench.pause(chance)
    for _ in range(30):
        size = bench.random.choice([1, 8, 127, 128, 129, bench.random.randint(1, 1500)])
        address = 8 * bench.random.randint(0, (SIZE - size) // 8)
        data = bench.random.randbytes(size)
        bench.expected[address : address + size] = data
        start = cocotb.start_soon(bench.command(address, size))
        await bench.send(data, chance)
        await start
    await bench.idle()
    assert bench.memory.read(0, SIZE) == bytes(bench.expected)
    for address, length in bench.bursts:
        assert length < 16
        assert address >> 12 == (address + 8 * length + 7) >> 12, "crosses 4 KB"


@cocotb.test()
async def an_error_response_is_reported(dut):
    bench = Bench(dut)
    await bench.reset()
    seen = []

    async def watch_errors():
        while True:
            await RisingEdge(dut.clk_i)
            if dut.error_valid_o.value == 1:
                seen.append(int(dut.error_response_o.value))

    cocotb.start_soon(watch_errors())

    def fail(*_, **__):
        raise OSError("the memory is broken")

    bench.memory._write = fail
    cocotb.start_soon(bench.command(0, 64))
    await bench.send(bytes(64), 0)
    await bench.idle()
    assert seen == [2], "SLVERR, once"


@cocotb.test()
@cocotb.parametrize(chance=[0.0, 0.5])
async def abort_completes_bursts_without_writing(dut, chance):
    bench = Bench(dut)
    await bench.reset()
    bench.pause(chance)
    for _ in range(10):
        start = cocotb.start_soon(bench.command(0, 4000))
        given = 8 * bench.random.randint(1, 100)
        data = bench.random.randbytes(given)
        await bench.send(data, chance)
        dut.abort_i.value = 1
        await bench.idle()
        await start
        dut.abort_i.value = 0
        # Nothing but what was given is written; all that was taken before the abort is.
        assert bench.memory.read(given, SIZE - given) == bytes(bench.expected[given:])
        bench.expected[:given] = bench.memory.read(0, given)
        assert sum(last for *_, last in bench.strobes) == len(bench.bursts)
    start = cocotb.start_soon(bench.command(512, 999))
    data = bench.random.randbytes(999)
    await bench.send(data, chance)
    await start
    await bench.idle()
    bench.expected[512 : 512 + 999] = data
    assert bench.memory.read(0, SIZE) == bytes(bench.expected)
