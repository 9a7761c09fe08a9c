"""The read engine against cocotbext-axi's memory: what comes out is what lies there, in order."""

import itertools
import os
import random

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiRamRead, AxiReadBus
from driving import clock

SIZE = 1 << 16
SEED = int(os.environ.get("SPECBP_SEED", "1"))


class Bench:
    """Clock, reset and memory around the engine."""

    def __init__(self, dut):
        self.dut = dut
        self.random = random.Random(SEED)
        cocotb.start_soon(clock(dut))
        for name in ("abort_i", "cmd_valid_i", "data_ready_i", "cmd_address_i", "cmd_beats_i"):
            getattr(dut, name).value = 0
        bus = AxiReadBus.from_prefix(dut, "m_axi")
        self.memory = AxiRamRead(bus, dut.clk_i, dut.rst_ni, False, size=SIZE)
        self.content = self.random.randbytes(SIZE)
        self.memory.write(0, self.content)
        self.bursts = []
        cocotb.start_soon(self.watch_requests())

    async def reset(self):
        self.dut.rst_ni.value = 0
        for _ in range(4):
            await RisingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 1
        await RisingEdge(self.dut.clk_i)

    async def watch_requests(self):
        """Record requests; one that was made must not change before it is taken."""
        dut, held = self.dut, None
        while True:
            await RisingEdge(dut.clk_i)
            await ReadOnly()
            # After the edge: these are the values of the cycle that begins.
            now = None
            if dut.rst_ni.value == 1 and dut.m_axi_arvalid.value == 1:
                now = (int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value) + 1)
            assert held is None or now == held, "a request changed before it was taken"
            taken = now is not None and dut.m_axi_arready.value == 1
            if taken:
                self.bursts.append(now)
            held = None if taken else now

    def pause(self, chance):
        def pauses():
            while True:
                yield self.random.random() < chance

        self.memory.ar_channel.set_pause_generator(pauses())
        self.memory.r_channel.set_pause_generator(pauses())

    async def command(self, address, beats):
        dut = self.dut
        dut.cmd_address_i.value, dut.cmd_beats_i.value, dut.cmd_valid_i.value = address, beats, 1
        await RisingEdge(dut.clk_i)
        while dut.cmd_ready_o.value == 0:
            await RisingEdge(dut.clk_i)
        dut.cmd_valid_i.value = 0

    async def receive(self, beats, chance):
        """Take `beats` of data, pausing at random; return bytes, responses and `last` marks."""
        dut, data, responses, marks = self.dut, b"", [], []
        while len(marks) < beats:
            dut.data_ready_i.value = int(self.random.random() >= chance)
            await RisingEdge(dut.clk_i)
            if dut.data_valid_o.value == 1 and dut.data_ready_i.value == 1:
                data += int(dut.data_o.value).to_bytes(8, "little")
                responses.append(int(dut.data_response_o.value))
                marks.append(int(dut.data_last_o.value))
        dut.data_ready_i.value = 0
        return data, responses, marks


def check_bursts(bursts):
    for address, beats in bursts:
        assert 1 <= beats <= 16
        assert address >> 12 == (address + 8 * beats - 1) >> 12, "crosses 4 KB"


@cocotb.test()
@cocotb.parametrize(chance=[0.0, 0.3, 0.8])
async def random_reads(dut, chance):
    bench = Bench(dut)
    await bench.reset()
    bench.pause(chance)
    commands = []
    for _ in range(40):
        beats = bench.random.choice([1, 2, 15, 16, 17, bench.random.randint(1, 200)])
        commands.append((8 * bench.random.randint(0, SIZE // 8 - beats), beats))

    async def send():
        for address, beats in commands:
            await bench.command(address, beats)

    sender = cocotb.start_soon(send())
    total = sum(beats for _, beats in commands)
    data, responses, marks = await bench.receive(total, chance)
    await sender
    assert data == b"".join(bench.content[a : a + 8 * n] for a, n in commands)
    assert not any(responses)
    ends = set(itertools.accumulate(beats for _, beats in commands))
    assert [i + 1 for i, mark in enumerate(marks) if mark] == sorted(ends)
    check_bursts(bench.bursts)
    await RisingEdge(dut.clk_i)
    assert dut.idle_o.value == 1


@cocotb.test()
async def errors_come_with_their_beats(dut):
    bench = Bench(dut)
    await bench.reset()

    async def read(address, length):
        if address == 80:
            raise OSError("the memory is broken here")
        return bench.content[address : address + length]

    bench.memory._read = read
    cocotb.start_soon(bench.command(0, 16))
    data, responses, _ = await bench.receive(16, 0.2)
    assert responses == [0] * 10 + [2] + [0] * 5, "SLVERR, for the one beat"
    assert data[:80] + data[88:] == bench.content[:80] + bench.content[88:128]


@cocotb.test()
@cocotb.parametrize(chance=[0.0, 0.5])
async def abort_leaves_the_port_clean(dut, chance):
    bench = Bench(dut)
    await bench.reset()
    bench.pause(chance)
    for _ in range(10):
        cocotb.start_soon(bench.command(0, 500))
        await bench.receive(bench.random.randint(1, 100), chance)
        dut.abort_i.value = 1
        for _ in range(3000):
            await RisingEdge(dut.clk_i)
            if dut.idle_o.value == 1:
                break
        else:
            raise AssertionError("never idle")
        before = len(bench.bursts)
        for _ in range(20):
            await RisingEdge(dut.clk_i)
            assert dut.m_axi_arvalid.value == 0 and dut.data_valid_o.value == 0
        assert len(bench.bursts) == before
        dut.abort_i.value = 0
        start = cocotb.start_soon(bench.command(64, 20))
        data, _, marks = await bench.receive(20, chance)
        await start
        assert data == bench.content[64 : 64 + 160]
        assert marks[-1] == 1
