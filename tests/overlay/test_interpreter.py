"""The interpreter against ISA.md read once more, in plain Python: loops walked by their jumps."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specbp.overlay.instructions import (
    Addend,
    Buffer,
    Copy,
    End,
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
    Store,
    Total,
)
from specbp.overlay.interpreter import Interpreter, ProgramError
from specbp.overlay.parameters import Parameters

PARAMETERS = Parameters()
GROUPS = PARAMETERS.groups
ELEMENTS = 400
LOOPS = st.lists(
    st.builds(Loop, st.integers(1, 3), st.integers(0, 8), st.integers(0, 8), st.integers(-2, 2)),
    max_size=3,
).map(tuple)


def q(value, shift, limit):
    rounded = (value + (1 << shift - 1)) >> shift if shift else value
    return min(limit, max(-limit, rounded))


def walked(loops):
    """All (A, B, T) offsets of nested loops, innermost fastest."""
    return [
        tuple(sum(n * getattr(loop, side) for n, loop in zip(ns[::-1], loops, strict=True))
              for side in ("a", "b", "t"))
        for ns in itertools.product(*(range(loop.count) for loop in reversed(loops)))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).integers(-(2**15) + 1, 2**15, ELEMENTS * 8, np.int64)


def result_of(program, values, words, stored=200):
    """Run `program` with `values` in the scalar and vector buffer; return output words."""
    memory = np.zeros(64 * ELEMENTS, np.uint8)
    memory[: 16 * ELEMENTS] = values.astype(np.int16).view(np.uint8)
    loads = [
        Load(0, Buffer.SCALAR, 0, ELEMENTS),
        Load(0, Buffer.VECTOR, 0, ELEMENTS),
        Load(0, Buffer.BIAS, 0, ELEMENTS),
        Nop(),
    ]
    rest = [Nop(), Store(32 * ELEMENTS, stored, words), End()]
    Interpreter(PARAMETERS, memory).run([*loads, *program, *rest])
    return memory[32 * ELEMENTS :].view(np.int16)[: 4 * words].tolist()


@given(
    LOOPS, LOOPS, st.integers(1, GROUPS), st.integers(0, 30), st.booleans(),
    st.sampled_from([Addend.NONE, Addend.BIAS]),
)  # fmt: skip
def test_mac_to_int16(values, reducing, results, groups, shift, relu, addend):
    mac = Mac(5, 3, reducing, results, 200, Result.INT16, groups, shift, addend, 7, 9, relu)
    expected = []
    biases = values.astype(np.int16).view(np.int32)
    for a, b, _ in walked(results):
        for lane in range(4 * groups):
            total = sum(
                int(values[5 + a + x]) * int(values[4 * GROUPS * (3 + b + y) + lane])
                for x, y, _ in walked(reducing)
            )
            if addend == Addend.BIAS:
                total += int(biases[4 * 7 + lane]) << 9
            total = q(total, shift, 32767)
            expected.append(max(total, 0) if relu else total)
    assert result_of([mac], values, len(expected) // 4) == expected


@given(LOOPS, st.integers(1, GROUPS), st.integers(0, 30))
def test_a_sum_in_two_parts_to_int32(values, results, groups, shift):
    parts = (Loop(3, 1, 1),), (Loop(4, 1, 1),)
    macs = [
        Mac(0, 0, parts[0], results, 50, Result.SUMS, groups),
        Mac(3, 3, parts[1], results, 200, Result.INT32, groups, shift, Addend.PARTIAL, 50),
    ]
    expected = []
    for a, b, _ in walked(results):
        for lane in range(4 * groups):
            total = sum(
                int(values[a + k]) * int(values[4 * GROUPS * (b + k) + lane]) for k in range(7)
            )
            expected.append(q(total, shift, 2**31 - 1))
    found = result_of(macs, values, len(expected) // 2)
    assert np.array(found, np.int16).view(np.int32).tolist() == expected


@given(LOOPS, LOOPS, st.integers(-20, 20), st.integers(0, 3))
def test_element_wise(values, reducing, results, t, shift):
    def elements(of):
        return [
            of([(5 + a + x, 9 + b + y, t + c + z) for x, y, z in walked(reducing)], element)
            for a, b, c in walked(results)
            for element in range(4)
        ]

    def scalar(word, element):
        return int(small[4 * word + element])

    small = values % 7 - 3
    most = [
        max(range(len(places)), key=lambda n: (scalar(places[n][0], element), -n))
        for places, element in elements(lambda places, element: (places, element))
    ]
    flat = elements(lambda places, element: (places, element))
    count = len(flat) // 4
    found = result_of([Maximum(5, reducing, results, 200, 300, t)], small, count)
    assert found == [scalar(p[n][0], e) for n, (p, e) in zip(most, flat, strict=True)]
    index = result_of([Maximum(5, reducing, results, 200, 300, t)], small, count, stored=300)
    assert index == [p[n][2] for n, (p, _) in zip(most, flat, strict=True)]
    found = result_of([Total(5, reducing, results, 200, shift)], small, count)
    assert found == [q(sum(scalar(a, e) for a, _, _ in p), shift, 32767) for p, e in flat]
    found = result_of([Select(5, 9, reducing, results, 200, t)], small, count)
    assert found == [sum(scalar(a, e) for a, b, c in p if scalar(b, e) == c) for p, e in flat]
    found = result_of([Mask(5, 9, results, 200)], small, count)
    assert found == [
        scalar(9 + b, e) if scalar(5 + a, e) > 0 else 0
        for a, b, _ in walked(results)
        for e in range(4)
    ]


def test_load_transposed_turns_rows_into_columns():
    memory = np.zeros(8192, np.uint8)
    memory.view(np.int16)[:2048] = np.arange(2048)
    interpreter = Interpreter(PARAMETERS, memory)
    interpreter.run([LoadTransposed(8, GROUPS, 2, 64, (Move(2, 256, 1),)), End()])
    rows = interpreter._cores[0]._buffers["vector"].reshape(-1, GROUPS, 4)
    for x, repeat, row in itertools.product(range(8), range(2), range(4)):
        assert rows[1 + x, repeat, row] == 4 + x + 32 * row + 128 * repeat


def test_copy_moves_exactly_its_bytes():
    memory = np.arange(64, dtype=np.uint8)
    Interpreter(PARAMETERS, memory, base=4096).run([Copy(4096, 4096 + 32, 5), End()])
    assert memory[32:38].tolist() == [0, 1, 2, 3, 4, 37]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ([Load(4096, Buffer.SCALAR, 0, 1)], "descriptor 0: memory outside the window"),
        ([Fill(0, Buffer.SCALAR, 4090, 8)], "scalar words 4090 to 4097 of a buffer of 4096"),
        ([Fill(0, Buffer.BIAS, 0, 1, (Move(2, 0, -1),))], "bias words -1 to 0"),
        ([Nop()], "no END"),
        ([Mac(0, 0, (), (), 0, Result.INT16, 5)], "5 groups of lanes of 4"),
        ([Store(0, 3, 1)], "output word 3 is read before anything wrote it"),
    ],
)
def test_what_is_wrong_is_named(program, said):
    end = [] if isinstance(program[0], Nop) else [End()]
    with pytest.raises(ProgramError, match=said):
        Interpreter(PARAMETERS, np.zeros(4096, np.uint8)).run([*program, *end])
