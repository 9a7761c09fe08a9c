"""Rounding, saturation, bias, partial sums and ReLU against the definition in plain integers."""

import cocotb
from cocotb.triggers import RisingEdge
from driving import fields, packed, start

INT16, INT32, SUMS = 0, 1, 2
NONE, BIAS, PARTIAL = 0, 1, 2


def rounded(value, shift, most):
    half = 1 << shift - 1 if shift else 0
    return min(most, max(-most, value + half >> shift))


def near_a_limit(random, shift, most):
    """A sum whose rounded value is near a limit, near 0, or anywhere."""
    around = random.choice([-most - 1, -most, 0, most, None])
    if around is None:
        return random.randint(-(1 << 46), (1 << 46) - 1)
    value = (around << shift) + random.randint(-2 << shift, 2 << shift)
    return max(-(1 << 46), min((1 << 46) - 1, value))


@cocotb.test()
async def equals_the_definition(dut):
    random = await start(dut, valid_i=0, mark_i=0, element_i=0)
    for _ in range(150):
        kind, addend = random.choice([INT16, INT32, SUMS]), random.choice([NONE, BIAS, PARTIAL])
        shift, left = (
            random.choice([0, 1, 15, 16, 46, 47, random.randint(0, 47)]),
            random.randint(0, 14),
        )
        relu = kind == INT16 and random.random() < 0.3
        most = 32767 if kind == INT16 else 2147483647
        dut.kind_i.value, dut.addend_i.value, dut.relu_i.value = kind, addend, int(relu)
        dut.shift_i.value, dut.left_i.value = shift, left
        groups = [[near_a_limit(random, shift, most) for _ in range(4)] for _ in range(3)]
        biases = [random.randint(-2147483647, 2147483647) for _ in range(4)]
        partial = [random.randint(-(1 << 45), 1 << 45) for _ in range(4)]
        dut.bias_i.value = packed(biases, 32)
        for lane in range(4):
            dut.partial_i[lane].value = partial[lane] & (1 << 48) - 1
        more = {NONE: [0] * 4, BIAS: [bias << left for bias in biases], PARTIAL: partial}[addend]
        found = []
        for cycle in range(11):
            dut.valid_i.value = int(cycle < 3)
            for lane in range(4):
                dut.sums_i[lane].value = groups[min(cycle, 2)][lane] & (1 << 48) - 1
            await RisingEdge(dut.clk_i)
            if kind == SUMS and dut.sums_valid_o.value == 1:
                found.append([fields(dut.sums_o[lane].value, 48, 1)[0] for lane in range(4)])
            elif kind != SUMS and dut.results_valid_o.value == 1:
                found.append(fields(dut.results_o.value, 32, 4))
        sums = [[one + two for one, two in zip(group, more, strict=True)] for group in groups]
        if kind != SUMS:
            sums = [[rounded(one, shift, most) for one in group] for group in sums]
        assert found == [[max(0, one) if relu else one for one in group] for group in sums]
