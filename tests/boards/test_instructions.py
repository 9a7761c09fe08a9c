"""Every instruction on the Verilated overlay, against the interpreter, to the last byte.

The first tests read as examples, one for each opcode. Then random programs, also under random
stalls: what the memory holds afterwards must be the same.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.overlay.interpreter import Interpreter
from specbp.overlay.isa import (
    Addend,
    Buffer,
    Copy,
    End,
    Factors,
    Fill,
    Load,
    LoadTransposed,
    Loop,
    Mac,
    Mask,
    Maximum,
    Move,
    Nop,
    Result,
    Select,
    Semaphores,
    Sgd,
    Softmax,
    Store,
    Total,
)
from specbp.overlay.parameters import Parameters

ROOM = 256 << 10
"""Bytes of memory for data; results go to its upper half."""
RESULTS = ROOM // 2
SMALL = Parameters(
    scalar_words=1024, vector_rows=256, bias_rows=256, output_words=512, partial_rows=256
)
"""Buffers that a test fills quickly, and whose ends it reaches."""


class Machine:
    """A board, and an interpreter beside it."""

    def __init__(self, device, driver):
        self.device, self.driver = device, driver
        self.memory = driver.allocate(ROOM)
        self.base = self.memory.device_address
        self.results = self.base + RESULTS
        self.fill(0)

    def fill(self, seed):
        """Fill memory with random int16; -32768 does not occur."""
        random = np.random.default_rng(seed)
        self.memory.view(np.int16)[:] = random.integers(-32767, 32768, ROOM // 2)

    def put(self, offset, values, dtype=np.int16):
        """Write `values` into memory."""
        part = np.asarray(values, dtype).ravel().view(np.uint8)
        self.memory[offset : offset + part.size] = part

    def run(self, *program):
        """Run `program` on both; return the results, as int16, and what the run took."""
        program = [*program, End()]
        expected = np.array(self.memory)
        Interpreter(self.driver.parameters, expected, self.base).run(program)
        self.memory.flush()
        run = self.driver.run(program, [self.memory], watchdog=100_000)
        self.memory.invalidate()
        np.testing.assert_array_equal(self.memory, expected)
        assert self.device.model.violations == 0
        return np.array(self.memory[RESULTS:]).view(np.int16), run


@pytest.fixture(scope="module")
def machine(open_board):
    device, overlay = open_board(parameters=SMALL, memory_bytes=4 << 20)
    return Machine(device, overlay.specbp_0)


def scalars(machine, values, dtype=np.int16):
    """Return what loads `values`, in whole words, to the start of the scalar buffer."""
    machine.put(0, values, dtype)
    return Load(machine.base, Buffer.SCALAR, 0, np.asarray(values, dtype).nbytes // 8)


def test_load_and_mask(machine):
    load = scalars(machine, [5, -5, 0, 1, 10, 20, 30, 40])
    mask = Mask(0, 1, (), 3)
    found, _ = machine.run(load, Nop(), mask, Nop(), Store(machine.results, 3, 1))
    assert found[:4].tolist() == [10, 0, 0, 40]


def test_fill(machine):
    fill = Fill(-7, Buffer.SCALAR, 0, 2)
    # With A = B this is ReLU.
    relu = Mask(0, 0, (Loop(2, 1, 1),), 0)
    found, _ = machine.run(fill, Nop(), relu, Nop(), Store(machine.results, 0, 2))
    assert not found[:8].any()


def test_mac_with_bias_and_relu(machine):
    load = scalars(machine, [2, 3, -1, 0])
    # Rows 0 and 1 hold 100 and 10 in every lane.
    rows = [Fill(100, Buffer.VECTOR, 0, 4), Fill(10, Buffer.VECTOR, 4, 4)]
    machine.put(64, [1, -1, 7, -1000], np.int32)
    bias = Load(machine.base + 64, Buffer.BIAS, 0, 2)
    mac = Mac(
        0, 0, (Loop(2, 1, 1),), (Loop(2, 1, 0),), 0, Result.INT16, 1,
        shift=1, addend=Addend.BIAS, addend_base=0, left=2, relu=True,
    )  # fmt: skip
    store = Store(machine.results, 0, 2)
    found, _ = machine.run(load, *rows, bias, Nop(), mac, Nop(), store)
    sums = np.array([[2 * 100 + 3 * 10], [3 * 100 - 1 * 10]])
    expected = np.maximum(0, sums + np.array([4, -4, 28, -4000]) + 1 >> 1)
    assert found[:8].tolist() == expected.ravel().tolist()


def test_mac_in_parts(machine):
    """Two halves of a sum, the first kept in the partial buffer."""
    load = scalars(machine, np.arange(8))
    row = Fill(30000, Buffer.VECTOR, 0, 4)
    half = Mac(0, 0, (Loop(4, 1, 0),), (), 5, Result.SUMS, 4)
    rest = Mac(4, 0, (Loop(4, 1, 0),), (), 0, Result.INT32, 4, addend=Addend.PARTIAL, addend_base=5)
    store = Store(machine.results, 0, 8)
    found, run = machine.run(load, row, Nop(), half, rest, Nop(), store)
    # Eight iterations, and the results of the first on their way to where the second finds them.
    assert run.multiplying == 8 and run.computing < 60
    assert found[:32].view(np.int32).tolist() == [28 * 30000] * 16


def test_maximum(machine):
    load = scalars(machine, [[1, 2, 3, 4], [9, 2, -3, 5], [0, 7, 3, 4]])
    maximum = Maximum(0, (Loop(3, 1, 0, 10),), (), 0, index=1, t=-1)
    found, _ = machine.run(load, Nop(), maximum, Nop(), Store(machine.results, 0, 2))
    assert found[:8].tolist() == [9, 7, 3, 5, 9, 19, -1, 9]


def test_total(machine):
    load = scalars(machine, [[1, 2, 3, 32767], [1, 3, -8, 32767]])
    total = Total(0, (Loop(2, 1),), (), 0, shift=1)
    found, _ = machine.run(load, Nop(), total, Nop(), Store(machine.results, 0, 1))
    assert found[:4].tolist() == [1, 3, -2, 32767]


def test_select(machine):
    load = scalars(machine, [[5, 6, 7, 30000], [50, 60, 70, 30000], [0, 1, 0, 0], [0, 1, 1, 1]])
    select = Select(0, 2, (Loop(2, 1, 1, 1),), (), 0, t=0)
    found, _ = machine.run(load, Nop(), select, Nop(), Store(machine.results, 0, 1))
    assert found[:4].tolist() == [5, 60, 77, 32767]


def test_softmax(machine):
    # The example of ARITHMETIC.md, twice; the labels follow the logits.
    load = scalars(machine, [0, 1024, -2048, 0] * 2 + [1, 2, 0, 0])
    softmax = Softmax(0, 8, 0, 2, classes=3, shift=16, samples=2)
    found, _ = machine.run(load, Nop(), softmax, Nop(), Store(machine.results, 0, 4))
    assert found[:8].tolist() == [4254, 11554, 575, 0] * 2
    assert found[8:16].tolist() == [4254, 11554 - 16384, 575, 0, 4254, 11554, 575 - 16384, 0]


def test_sgd(machine):
    masters, momenta, gradients = [65536, -65536, 0, 8], [0, 100, 200, -1], [1000, 0, -7, 7]
    load = scalars(machine, [masters, momenta, gradients], np.int32)
    sgd = Sgd(0, 2, 4, 0, 1, Factors(momentum=16384, rate=20000, rate_shift=14))
    found, _ = machine.run(load, Nop(), sgd, Nop(), Store(machine.results, 0, 5))
    new_momenta = [1000, 50, 93, 7]
    new_masters = [65536 - 1221, -65536 - 61, -114, 8 - 9]
    assert found[:16].view(np.int32).tolist() == new_masters + new_momenta
    assert found[16:20].tolist() == [1, -1, 0, 0]


def test_load_transposed(machine):
    machine.put(0, np.arange(32))
    # Two words of each of four rows of 8 elements; row x of the vector buffer holds column x.
    load = LoadTransposed(machine.base, 1, 2, 16)
    one = Fill(1, Buffer.SCALAR, 0, 1)
    # With a scalar of 1 and no sum the rows come out as they are.
    mac = Mac(0, 0, (), (Loop(8, 0, 1),), 0, Result.INT16, 4)
    clear = Fill(0, Buffer.VECTOR, 0, 32)
    store = Store(machine.results, 0, 32)
    found, _ = machine.run(clear, load, one, Nop(), mac, Nop(), store)
    rows = found[: 8 * 16].reshape(8, 16)
    assert rows[:, 4:8].tolist() == np.arange(32).reshape(4, 8).T.tolist()
    assert not rows[:, :4].any() and not rows[:, 8:].any()


@pytest.mark.parametrize("runs", [(16, 1, 3), (1, 16, 16), (2, 2, 2)])
def test_transposed_loads_one_after_another(machine, runs):
    machine.fill(8)
    load = [
        LoadTransposed(machine.base + 2048 * number, 256 * number, run, 256, (Move(3, 8 * run, 1),))
        for number, run in enumerate(runs)
    ]
    rows = [Load(machine.base + 16384, Buffer.VECTOR, 768, 64)]
    one = Fill(1, Buffer.SCALAR, 0, 1)
    copy = Mac(0, 0, (), (Loop(64, 0, 1), Loop(2, 0, 64)), 0, Result.INT16, 3)
    clear = Fill(0, Buffer.VECTOR, 0, 1024)
    machine.run(clear, *load, *rows, *load, one, Nop(), copy, Nop(), Store(machine.results, 0, 384))


def test_store_with_strides(machine):
    load = scalars(machine, np.arange(1, 33))
    relu = Mask(0, 0, (Loop(8, 1, 1),), 0)
    store = Store(machine.results, 7, 2, (Move(4, 24, -2),))
    machine.memory[RESULTS : RESULTS + 96] = 0
    found, _ = machine.run(load, Nop(), relu, Nop(), Store(machine.results + 4096, 0, 8))
    assert found[2048 : 2048 + 32].tolist() == list(range(1, 33))
    store = Store(machine.results, 6, 2, (Move(4, 24, -2),))
    found, _ = machine.run(load, Nop(), relu, Nop(), store)
    assert found[:8].tolist() == list(range(25, 33))
    assert found[8:12].tolist() == [0] * 4 and found[12] == 17


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
def test_units_overlap_and_semaphores_order_them(machine, stall):
    """Tiles go through two halves of the buffers in turn, each while its neighbours do."""
    machine.device.model.set_stalls(3, stall)
    full, empty, done, stored = (1, 2), (3, 4), (5, 6), (7, 8)

    def tile(number, ordered):
        half = number % 2
        place, source = half * 128, machine.base + number * 1024
        again = number > 1
        orders = [Semaphores()] * 3
        if ordered:
            orders = [
                Semaphores((empty[half],) if again else (), (full[half],)),
                Semaphores((full[half], stored[half])[: 1 + again], (empty[half], done[half])),
                Semaphores((done[half],), (stored[half],)),
            ]
        return [
            Load(source, Buffer.SCALAR, place, 128, order=orders[0]),
            Mask(place, place, (Loop(128, 1, 1),), place, orders[1]),
            Store(source + RESULTS, place, 128, order=orders[2]),
        ]

    machine.fill(1)
    _, together = machine.run(*(each for number in range(12) for each in tile(number, True)))
    machine.fill(2)
    apart = [step for number in range(12) for each in tile(number, False) for step in (each, Nop())]
    _, alone = machine.run(*apart)
    assert together.cycles < 0.8 * alone.cycles
    assert together.computing < together.cycles < together.computing + together.loading
    if not stall:
        # The slowest is MASK, which reads two words in two cycles.
        assert 12 * 256 < together.cycles < 12 * 256 + 600
    machine.device.model.set_stalls(3, 0.0)


# Random programs.

SIDES = {"a": 4 * SMALL.scalar_words, "b": SMALL.vector_rows}
WORDS = {"a": SMALL.scalar_words, "b": SMALL.scalar_words}
SHIFTS = st.one_of(st.integers(0, 47), st.sampled_from([0, 15, 47]))


@st.composite
def loops(draw, sizes, most, number=3):
    """Up to `number` loops of at most `most` iterations, and a base for each of `sizes`.

    Addresses go up and down; the bases move the whole range anywhere into the buffer.
    """
    found, iterations = [], 1
    low, high = dict.fromkeys(sizes, 0), dict.fromkeys(sizes, 0)
    for _ in range(draw(st.integers(0, number))):
        count = draw(st.integers(1, min(12, most // iterations)))
        iterations *= count
        strides = {}
        for side, size in sizes.items():
            room = min(40, (size - 1 - high[side] + low[side]) // max(1, count - 1))
            strides[side] = draw(st.integers(-room, room))
            reach = strides[side] * (count - 1)
            low[side], high[side] = low[side] + min(0, reach), high[side] + max(0, reach)
        found.append(Loop(count, t=draw(st.integers(-9, 9)), **strides))
    bases = [draw(st.integers(-low[side], size - 1 - high[side])) for side, size in sizes.items()]
    return tuple(found), *bases


def repeats(loops):
    return int(np.prod([loop.count for loop in loops], dtype=int))


@st.composite
def macs(draw):
    found, a, b = draw(loops(SIDES, 300, 6))
    reducing, results = found[:3], found[3:]
    groups, kind, addend = (
        draw(st.integers(1, 4)),
        draw(st.sampled_from(Result)),
        draw(st.sampled_from(Addend)),
    )
    rows = repeats(results) * groups
    while rows > SMALL.partial_rows // 2:
        results = results[:-1]
        rows = repeats(results) * groups
    space = SMALL.partial_rows if kind == Result.SUMS else SMALL.output_words
    words = rows * (2 if kind == Result.INT32 else 1)
    result = draw(st.integers(0, space - words))
    most = (SMALL.bias_rows - groups) if addend == Addend.BIAS else SMALL.partial_rows - rows
    addend_base = draw(st.integers(0, most))
    if addend == Addend.PARTIAL and kind == Result.SUMS:
        # The rows that it writes, or none of them.
        below, above = result - rows, result + rows
        others = [
            base for base in (0, below, above) if 0 <= base <= most and abs(base - result) >= rows
        ]
        addend_base = draw(st.sampled_from([result, *others]))
    return Mac(
        a, b, reducing, results, result, kind, groups, draw(SHIFTS), addend, addend_base,
        draw(SHIFTS), kind == Result.INT16 and draw(st.booleans()),
    )  # fmt: skip


@st.composite
def element_wise(draw):
    kind = draw(st.sampled_from([Maximum, Total, Mask, Select]))
    if kind in (Maximum, Total):
        found, a = draw(loops({"a": SMALL.scalar_words}, 300, 6))
    else:
        found, a, b = draw(loops(WORDS, 300, 6))
    reducing = 0 if kind is Mask else draw(st.integers(0, min(3, len(found))))
    reducing, results = found[:reducing], found[reducing:]
    count = repeats(results)
    result = draw(st.integers(0, SMALL.output_words // 2 - min(count, 256)))
    if count > 256:
        return Nop(1)
    t = draw(st.integers(-2048, 2047))
    if kind is Maximum:
        index = draw(st.sampled_from([None, 256, SMALL.output_words - count]))
        return Maximum(a, reducing, results, result, index, t)
    if kind is Total:
        return Total(a, reducing, results, result, draw(SHIFTS))
    if kind is Mask:
        return Mask(a, b, results, result)
    return Select(a, b, reducing, results, result, t)


@st.composite
def sgds(draw):
    fours = draw(st.integers(1, 40))
    bases = [draw(st.integers(0, SMALL.scalar_words - 2 * fours)) for _ in range(3)]
    result = draw(st.integers(0, SMALL.output_words - 5 * fours))
    factor = st.integers(0, 32767)
    factors = Factors(*(draw(each) for each in (factor, factor, SHIFTS, factor, SHIFTS)))
    return Sgd(*bases, result, fours, factors)


@st.composite
def moves(draw, run, size):
    """Up to three repeats of `run` words within a buffer of `size` words, and the base there."""
    found, words, low, high = [], run, 0, run - 1
    for _ in range(draw(st.integers(0, 3))):
        count = draw(st.integers(1, max(1, min(6, 200 // words))))
        words *= count
        room = min(60, (size - 1 - high + low) // max(1, count - 1))
        stride = draw(st.integers(-room, room))
        low, high = low + min(0, stride * (count - 1)), high + max(0, stride * (count - 1))
        found.append(Move(count, 8 * draw(st.integers(-150, 150)), stride))
    return tuple(found), draw(st.integers(-low, size - 1 - high))


@st.composite
def loads(draw, base):
    """A load within the lower half of memory; small strides from its middle stay inside."""
    kind = draw(st.sampled_from([Load, Fill, LoadTransposed]))
    address = base + RESULTS // 2 + 8 * draw(st.integers(-500, 500))
    if kind is LoadTransposed:
        run = draw(st.integers(1, 16))
        found, place = draw(moves(4 * run * 4 - 3, 4 * SMALL.vector_rows))
        return LoadTransposed(address, place, run, 8 * draw(st.integers(-40, 200)), found)
    buffer = draw(st.sampled_from(Buffer))
    size = {
        Buffer.SCALAR: SMALL.scalar_words,
        Buffer.VECTOR: 4 * SMALL.vector_rows,
        Buffer.BIAS: 2 * SMALL.bias_rows,
    }[buffer]
    run = draw(st.integers(1, 40))
    found, place = draw(moves(run, size))
    if kind is Fill:
        return Fill(draw(st.integers(-32767, 32767)), buffer, place, run, found)
    return Load(address, buffer, place, run, found)


@st.composite
def stores(draw, base):
    run = draw(st.integers(1, 40))
    found, place = draw(moves(run, SMALL.output_words))
    # What a store writes twice would depend on the order of its words: strides that do not meet.
    step, apart = 8 * run, []
    for move in found:
        apart.append(Move(move.count, step, move.buffer))
        step *= move.count
    return Store(base + RESULTS + 8 * draw(st.integers(0, 500)), place, run, tuple(apart))


def everything_written(machine):
    """Give every word of every buffer a value."""
    return [
        Load(machine.base, Buffer.SCALAR, 0, SMALL.scalar_words),
        Load(machine.base + 8192, Buffer.VECTOR, 0, 4 * SMALL.vector_rows),
        Load(machine.base + 16384, Buffer.BIAS, 0, 2 * SMALL.bias_rows),
        Nop(),
        Mac(0, 0, (Loop(9, 3, 1),), (Loop(64, 5, 2),), 0, Result.SUMS, 4),
        Mask(0, 0, (Loop(512, 1, 1),), 0),
        Nop(),
    ]


def everything_read(machine):
    """Store the output buffer, then the partial buffer by way of it: its lower and upper bits."""
    program = [Nop(), Store(machine.results + 65536, 0, 512), Fill(0, Buffer.SCALAR, 0, 1), Nop()]
    for shift in (0, 16):
        program += [
            Mac(0, 0, (), (Loop(64),), 0, Result.INT32, 4, shift, Addend.PARTIAL, 0),
            Nop(),
            Store(machine.results + 73728 + 512 * shift, 0, 512),
            Nop(),
        ]
    return program


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), seed=st.integers(0, 2**32), stall=st.sampled_from([0.0, 0.1, 0.6]))
def test_random_programs(machine, data, seed, stall):
    machine.fill(seed)
    machine.device.model.set_stalls(seed, stall)
    program = []
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from([macs, element_wise, sgds, loads, stores]))
        program.append(data.draw(kind(machine.base) if kind in (loads, stores) else kind()))
        # A barrier, or nothing where the same unit orders them.
        same = len(program) > 1 and type(program[-1]) is type(program[-2])
        program += [] if same else [Nop()]
    machine.run(*everything_written(machine), *program, *everything_read(machine))


def one_of_each(machine):
    """A program in which every opcode works, most at the same time as others."""
    base, results = machine.base, machine.results
    after, loaded = (lambda *waits: Semaphores(waits)), Semaphores((), (1,))
    return [
        Fill(3, Buffer.SCALAR, 0, 1024),
        Load(base, Buffer.SCALAR, 0, 600, (Move(1, 0, 0),)),
        Fill(-9, Buffer.VECTOR, 0, 1024),
        LoadTransposed(base + 8192, 0, 4, 512, (Move(4, 32, 1),)),
        Load(base + 4096, Buffer.BIAS, 0, 512, order=loaded),
        Mac(0, 0, (Loop(20, 1, 2),), (Loop(9, 2, 1),), 0, Result.SUMS, 4, order=after(1)),
        Mac(5, 9, (Loop(2, 1, 1),), (Loop(9, 2, 1),), 0, Result.INT32, 4, 9, Addend.PARTIAL),
        Mac(5, 9, (Loop(31, 1, 1),), (Loop(9, 2),), 72, Result.INT16, 4, 14, Addend.BIAS, 3, 2),
        Maximum(3, (Loop(2, 1, 0, 1), Loop(2, 20, 0, 2)), (Loop(20, 2),), 108, index=128),
        Total(3, (Loop(2, 1), Loop(2, 20)), (Loop(20, 2),), 148, 2),
        Mask(10, 200, (Loop(30, 1, 1),), 168),
        Select(10, 700, (Loop(3, 1, 1, 1),), (Loop(20, 1, 1),), 198, 2),
        Softmax(20, 4 * 700, 218, 248, 10, 16, 10),
        Sgd(0, 100, 200, 278, 20, Factors(29000, 20000, 20, 300, 10), Semaphores((), (2,))),
        Store(results, 0, 100, order=after(2)),
        Store(results + 4096, 100, 10, (Move(27, 160, 10),)),
        Nop(20),
        Copy(results, results + 8192, 999),
    ]  # fmt: skip


def test_a_build_that_checks_takes_the_same_cycles(open_board):
    """It clocks every unit always, as the hardware does, and checks every handshake.

    The last test here: a board that is opened takes the place of the one before.
    """
    took = []
    for kind in ("fast", "coverage"):
        device, overlay = open_board(memory_bytes=4 << 20, kind=kind)
        machine = Machine(device, overlay.specbp_0)
        program = one_of_each(machine)
        took.append([machine.run(*program)[1] for _ in range(2)])
        device.model.set_stalls(5, 0.4)
        machine.run(*program)
    assert took[0] == took[1]
