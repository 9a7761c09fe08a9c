"""Probabilities and deltas against ARITHMETIC.md, in plain integers."""

import cocotb
from cocotb.triggers import RisingEdge
from driving import fields, packed, start

TABLE = [int(2 ** (15 - k / 256) + 0.5) for k in range(256)]


def softmax(logits, shift):
    half = 1 << shift - 1 if shift else 0
    scaled = [(23637 * (max(logits) - z) + half) >> shift for z in logits]
    e = [0 if t >> 8 >= 24 else (TABLE[t & 255] << 8) >> (t >> 8) for t in scaled]
    return [((one << 14) + (sum(e) >> 1)) // sum(e) for one in e]


@cocotb.test()
async def equals_the_definition(dut):
    random = await start(dut, start_i=0)
    for classes, shift in [(2, 0), (3, 16), (4, 14), (10, 16), (10, 12), (13, 47), (100, 19)]:
        words, samples, spread = -(-classes // 4), 3, random.choice([20, 3000, 32767])
        logits = [[random.randint(-spread, spread) for _ in range(classes)] for _ in range(samples)]
        labels = [random.randrange(classes) for _ in range(samples)]
        scalars = [
            value
            for sample in logits
            for value in sample + [random.randint(-9, 9)] * (4 * words - classes)
        ] + labels
        output = {}
        dut.logits_i.value, dut.labels_i.value = 0, 4 * words * samples
        dut.probabilities_i.value, dut.deltas_i.value = 100, 1000
        dut.classes_i.value, dut.shift_i.value, dut.samples_i.value = classes, shift, samples
        dut.start_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        for _ in range(samples * (19 * classes + 60)):
            await RisingEdge(dut.clk_i)
            if dut.write_valid_o.value == 1:
                address = int(dut.write_address_o.value)
                output[address] = fields(dut.write_data_o.value, 16, 4)
            if dut.done_o.value == 1:
                break
            if dut.read_valid_o.value == 1:
                place = 4 * int(dut.read_address_o.value)
                dut.read_data_i.value = packed(scalars[place : place + 4], 16)
        else:
            raise AssertionError("never done")
        for n, (sample, label) in enumerate(zip(logits, labels, strict=True)):
            expected = softmax(sample, shift)
            for base, values in (
                (100, expected),
                (1000, [p - 16384 * (c == label) for c, p in enumerate(expected)]),
            ):
                found = [x for w in range(words) for x in output[base + n * words + w]]
                assert found == values + [0] * (4 * words - classes)
