"""The lanes against sums of integers: each result is kept whole while the next one grows."""

import cocotb
from cocotb.triggers import RisingEdge
from driving import fields, packed, start

LANES = 16


def int16(random):
    return random.randint(-32767, 32767)


@cocotb.test()
async def results_without_a_gap(dut):
    random = await start(dut, valid_i=0, group_i=0)
    found, expected, stream = [], [], []
    for _ in range(30):
        length = random.randint(LANES // 4 + 1, 30)
        scalars = [int16(random) for _ in range(length)]
        rows = [[int16(random) for _ in range(LANES)] for _ in range(length)]
        expected.append(
            [sum(s * r[lane] for s, r in zip(scalars, rows, strict=True)) for lane in range(LANES)]
        )
        stream += [(n == 0, n == length - 1, scalars[n], rows[n]) for n in range(length)]

    async def collect():
        while True:
            await RisingEdge(dut.clk_i)
            while dut.keep_o.value == 1:
                sums = []
                for group in range(LANES // 4):
                    dut.group_i.value = group
                    await RisingEdge(dut.clk_i)
                    sums += [fields(dut.sums_o[lane].value, 48, 1)[0] for lane in range(4)]
                found.append(sums)

    def arrive(scalars, row):
        dut.scalar_i.value = packed(scalars, 16)
        for group in range(LANES // 4):
            dut.vector_i[group].value = packed(row[4 * group :][:4], 16)

    cocotb.start_soon(collect())
    words = [0] * 4, [0] * LANES
    for first, last, scalar, row in stream:
        # An address in this cycle; the words in the next.
        element = random.randint(0, 3)
        dut.valid_i.value, dut.first_i.value, dut.last_i.value = 1, int(first), int(last)
        dut.element_i.value = element
        arrive(*words)
        word = [int16(random) for _ in range(4)]
        word[element] = scalar
        words = word, row
        await RisingEdge(dut.clk_i)
    dut.valid_i.value = 0
    arrive(*words)
    for _ in range(20):
        await RisingEdge(dut.clk_i)
    assert found == expected
