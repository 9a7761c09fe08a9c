"""A board and an interpreter side by side, and random descriptors for them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from specbp.overlay.instructions import (
    Addend,
    Buffer,
    End,
    Factors,
    Fill,
    Gate,
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
    Sgd,
    Store,
    Total,
)
from specbp.overlay.interpreter import Interpreter
from specbp.overlay.parameters import Parameters

ROOM = 256 << 10
"""Bytes of memory for data; results go to its upper half."""
RESULTS = ROOM // 2
SMALL = Parameters(
    scalar_words=1024, vector_rows=256, bias_rows=256, output_words=512, partial_rows=256
)
"""Buffers that a test fills quickly, and whose ends it reaches."""
BOTH = replace(SMALL, cores=2)
"""Two such cores."""


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

    def run(self, *program, valid=()):
        """Run `program` on both; return the results, as int16, and what the run took."""
        found, (run,) = self.run_cores([program], valid=valid)
        return found, run

    def run_cores(self, programs, delays=(), valid=()):
        """Run a program for each core on both; return the results and what the runs took.

        The label table is compared too where a program uses it; the labels `valid` are so before.
        """
        programs = [[*program, End()] for program in programs]
        gated = any(isinstance(one, Gate) for program in programs for one in program)
        expected = np.array(self.memory)
        interpreter = Interpreter(self.driver.parameters, expected, self.base)
        interpreter.labels.valid[list(valid)] = True
        interpreter.run(*programs)
        if gated:
            self.driver.clear_labels(valid)
        self.memory.flush()
        runs = self.driver.run_cores(programs, [self.memory], watchdog=100_000, delays=delays)
        self.memory.invalidate()
        np.testing.assert_array_equal(self.memory, expected)
        assert self.device.model.violations == 0
        if gated:
            labels = self.driver.read_labels()
            np.testing.assert_array_equal(labels.valid, interpreter.labels.valid)
            found = np.stack([labels.accepts, labels.rejects])
            np.testing.assert_array_equal(found, interpreter.labels.judged)
        return np.array(self.memory[RESULTS:]).view(np.int16), runs


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
    """A store into the first 20 KB of the upper half of memory."""
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


def everything_read(machine, core=0):
    """Store the output buffer, then the partial buffer by way of it: its lower and upper bits."""
    into = machine.results + 65536 + 24576 * core
    program = [Nop(), Store(into, 0, 512), Fill(0, Buffer.SCALAR, 0, 1), Nop()]
    for shift in (0, 16):
        program += [
            Mac(0, 0, (), (Loop(64),), 0, Result.INT32, 4, shift, Addend.PARTIAL, 0),
            Nop(),
            Store(into + 8192 + 512 * shift, 0, 512),
            Nop(),
        ]
    return program
