"""Verdicts of the gate, and what it does to the label table, in plain integers."""

import cocotb
from cocotb.triggers import RisingEdge
from driving import fields, packed, start

KEPT, ACCEPTED, REJECTED, JUDGED = range(4)


def judged(actual, cached, records, valid, limit, total):
    """Return the words of section 5 of ISA.md, and the labels' updates in order."""
    verdicts, rejected, updates = [], [], []
    for n, (one, other, record) in enumerate(zip(actual, cached, records, strict=True)):
        label, read_slot, write_slot, _ = record
        apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
        distance = sum(apart) if total else max(apart)
        accept = label in valid and distance < limit
        verdicts.append([accept, min(distance, 65535), read_slot if accept else write_slot, 0])
        updates.append((label, ACCEPTED if accept else REJECTED))
        if not accept:
            rejected.append([write_slot, n, 0, 0])
    updates += [(record[0], JUDGED) for record in records]
    last = rejected[-1] if rejected else [0] * 4
    padded = rejected + [last] * (len(records) - len(rejected))
    return verdicts + padded + [[len(records) - len(rejected), len(rejected), 0, 0]], updates


@cocotb.test()
async def equals_the_definition(dut):
    random = await start(dut, start_i=0, label_valid_i=0)
    for words, samples, total, spread in [
        (1, 1, 0, 3), (1, 7, 1, 3), (3, 9, 0, 300), (3, 9, 1, 300), (128, 2, 1, 32767),
        (2, 40, 0, 3),
    ]:  # fmt: skip
        size = 4 * words

        def some(count, spread=32767):
            return [random.randint(-spread, spread) for _ in range(count)]

        actual = [some(size) for _ in range(samples)]
        cached = [
            [max(-32767, min(32767, a + d)) for a, d in zip(one, some(size, spread), strict=True)]
            for one in actual
        ]
        records = [[random.choice([0, 3, 511]), *some(3)[0:3]] for _ in range(samples)]
        limit, valid = random.choice([0, 1, 4, spread, (1 << 18) - 1]), {0, 511}
        expected, updates = judged(actual, cached, records, valid, limit, total)
        scalars = [x for rows in (actual, cached, records) for row in rows for x in row]
        dut.actual_i.value, dut.cached_i.value = 0, samples * words
        dut.records_i.value, dut.results_i.value = 2 * samples * words, 100
        dut.words_i.value, dut.samples_i.value = words, samples
        dut.total_i.value, dut.limit_i.value = total, limit
        dut.start_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.start_i.value = 0
        output, seen = {}, []
        for _ in range(samples * (2 * words + 20) + 20):
            await RisingEdge(dut.clk_i)
            if dut.write_valid_o.value == 1:
                address = int(dut.write_address_o.value)
                assert address not in output
                output[address] = fields(dut.write_data_o.value, 16, 4)
            if int(dut.label_update_o.value) != KEPT:
                seen.append((int(dut.label_o.value), int(dut.label_update_o.value)))
            if dut.done_o.value == 1:
                break
            assert dut.label_bad_o.value == 0
            if dut.label_read_o.value == 1:
                dut.label_valid_i.value = int(dut.label_o.value) in valid
            if dut.read_valid_o.value == 1:
                place = 4 * int(dut.read_address_o.value)
                dut.read_data_i.value = packed(scalars[place : place + 4], 16)
        else:
            raise AssertionError("never done")
        found = [[x & 0xFFFF for x in output[100 + word]] for word in range(2 * samples + 1)]
        assert found == [[x & 0xFFFF for x in word] for word in expected]
        assert len(output) == len(expected) and seen == updates
        # Everything else is at rest.
        await RisingEdge(dut.clk_i)


@cocotb.test()
async def there_are_512_labels(dut):
    await start(dut, start_i=0, label_valid_i=0)
    dut.words_i.value = dut.samples_i.value = 1
    dut.read_data_i.value = 512
    dut.start_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.start_i.value = 0
    bad = False
    for _ in range(10):
        await RisingEdge(dut.clk_i)
        bad = bad or dut.label_bad_o.value == 1
    assert bad
