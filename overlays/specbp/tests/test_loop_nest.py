"""Six loops against six loops."""

import itertools
import math

import cocotb
from cocotb.triggers import RisingEdge
from driving import fields, packed, start


@cocotb.test()
async def addresses_and_marks(dut):
    random = await start(dut, start_i=0, step_i=0)
    for _ in range(30):
        counts = [random.choice([1, 1, 2, 3, 4]) for _ in range(6)]
        strides = [[random.randint(-300, 300) for _ in range(6)] for _ in "ab"]
        strides.append([random.randint(-20, 20) for _ in range(6)])
        words = []
        for loop in range(6):
            jumps = [
                side[loop] - sum((counts[k] - 1) * side[k] for k in range(loop)) for side in strides
            ]
            words.append(
                counts[loop] - 1
                | (jumps[0] & 0xFFFFF) << 12
                | (jumps[1] & 0xFFFFF) << 32
                | (jumps[2] & 0xFFF) << 52
            )
        reducing = random.randint(0, 3)
        dut.loops_i.value, dut.reducing_i.value = packed(words, 64), reducing
        length = math.prod(counts[:reducing])
        dut.a_i.value, dut.b_i.value, dut.t_i.value, dut.start_i.value = 5000, 6000, 7, 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        expected = []
        for number, index in enumerate(itertools.product(*map(range, reversed(counts)))):
            moved = [
                sum(i * stride for i, stride in zip(reversed(index), side, strict=True))
                for side in strides
            ]
            marks = number % length == 0, number % length == length - 1
            expected.append((5000 + moved[0], 6000 + moved[1], 7 + moved[2], *marks))
        found = []
        while len(found) < len(expected):
            step = random.randint(0, 1)
            dut.step_i.value = step
            await RisingEdge(dut.clk_i)
            assert dut.valid_o.value == 1
            if step:
                a, b = (fields(port.value, 21, 1)[0] for port in (dut.a_o, dut.b_o))
                t = fields(dut.t_o.value, 16, 1)[0]
                found.append((a, b, t, dut.first_o.value == 1, dut.last_o.value == 1))
                assert (dut.final_o.value == 1) == (len(found) == len(expected))
        dut.step_i.value = 0
        await RisingEdge(dut.clk_i)
        assert found == expected
        assert dut.valid_o.value == 0
