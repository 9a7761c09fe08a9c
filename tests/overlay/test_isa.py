"""Descriptors: their bits, and what is refused."""

import pytest

from specbp.errors import UsageError
from specbp.overlay.instructions import (
    Addend,
    Buffer,
    Factors,
    Fill,
    Load,
    LoadTransposed,
    Loop,
    Mac,
    Maximum,
    Move,
    Result,
    Select,
    Semaphores,
    Sgd,
    Softmax,
    Store,
    Total,
    encode,
)
from specbp.overlay.instructions.loops import jumps


def words(descriptor):
    (row,) = encode([descriptor])
    return [int(word) for word in row]


def test_a_load_in_bits():
    load = Load(
        0x1000, Buffer.VECTOR, 4, 2, (Move(3, -16, 4), Move(5, 64, -2)), Semaphores((1, 9), (3,))
    )
    assert words(load) == [
        0x0003_9110, 0x1000, 0x1_0004, 0x3_0002, 0x1_0005, 0xFFFF_FFF0, 64, 0, 0xFFFE_0004,
        *[0] * 7,
    ]  # fmt: skip


def test_the_other_moves_in_bits():
    assert words(Fill(-32768, Buffer.SCALAR, 2, 7))[:4] == [0x11, 0x8000, 2, 0x1_0007]
    assert words(Store(8, 3, 1))[:4] == [0x30, 8, 3, 0x1_0001]
    transposed = words(LoadTransposed(16, 1, 16, -24))
    assert transposed[:3] == [0x12, 16, 0x1_0001] and transposed[10] == 0xFFFF_FFE8


def test_a_mac_in_bits():
    mac = Mac(
        3, 5, (Loop(4, 1, 1),), (Loop(8, 4), Loop(2, 40)), 7, Result.INT16, 4,
        shift=9, addend=Addend.BIAS, addend_base=1, left=3, relu=True,
    )  # fmt: skip
    assert words(mac) == [
        0x20, 0x5_0003, 0x1_0007, 0 | 1 << 2 | 1 << 4 | 4 << 5 | 9 << 10 | 3 << 16,
        3 | 1 << 12, 1, 0, 0, 0, 0,
        7 | 1 << 12, 0x100000 - 3, 1 | (40 - 3 - 28) << 12, 0x100000 - 3, 0, 0,
    ]  # fmt: skip


def test_element_wise_descriptors_in_bits():
    loops = (Loop(2, 1, 3, 1), Loop(3, 5, 7, 2))
    most = words(Maximum(9, loops[:1], loops[1:], 11, index=13, t=-1))
    assert most[:4] == [0x21, 9, 13 << 16 | 11, 1 | 1 << 2 | 0xFFF << 16]
    assert most[4:8] == [1 | 1 << 12, 3 | 1 << 20, 2 | 4 << 12, 4 | 1 << 20]
    assert words(Total(9, loops, (), 11, 2))[:4] == [0x22, 9, 11, 2 | 2 << 10]
    assert words(Select(9, 8, (), loops, 11, 3))[:4] == [0x24, 8 << 16 | 9, 11, 3 << 16]


def test_softmax_and_sgd_in_bits():
    assert words(Softmax(1, 2, 3, 4, 10, 12, 32))[:4] == [
        0x25, 2 << 16 | 1, 4 << 16 | 3, 10 | 12 << 9 | 32 << 16,
    ]  # fmt: skip
    sgd = Sgd(1, 2, 3, 4, 100, Factors(29491, 20972, 26, 5, 7))
    assert words(sgd)[:6] == [
        0x26, 2 << 16 | 1, 3 << 16 | 4, 100, 20972 << 16 | 29491, 5 | 26 << 16 | 7 << 22,
    ]  # fmt: skip


def addresses_by_jumps(loops):
    """Walk the loops as the hardware does: a jump when a loop advances."""
    gains, counters, address, seen = [a for a, _, _ in jumps(loops)], [0] * len(loops), 0, [0]
    while True:
        for index, loop in enumerate(loops):
            if counters[index] < loop.count - 1:
                counters[:index], counters[index] = [0] * index, counters[index] + 1
                address += gains[index]
                seen.append(address)
                break
        else:
            return seen


def test_jumps_walk_what_strides_describe():
    loops = (Loop(3, 1), Loop(1, 99), Loop(2, -7), Loop(4, 0), Loop(2, 50))
    expected = [
        c0 * 1 + c2 * -7 + c4 * 50
        for c4 in range(2)
        for _ in range(4)
        for c2 in range(2)
        for c0 in range(3)
    ]
    assert addresses_by_jumps(loops) == expected


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Load(4, Buffer.BIAS, 0, 1), "address = 4 is not a multiple of 8"),
        (lambda: Load(0, Buffer.BIAS, 0, 0), "run = 0 is outside 1 to 65535"),
        (lambda: LoadTransposed(0, 0, 17, 8), "run = 17 is outside 1 to 16"),
        (lambda: Store(0, 0, 1, (Move(1, 0, 0),) * 4), "4 moves"),
        (lambda: Move(1, 12, 0), "not a multiple of 8"),
        (lambda: Move(2, 0, 40_000), "outside -32768 to 32767"),
        (lambda: Fill(40_000, Buffer.SCALAR, 0, 1), "value = 40000"),
        (lambda: Loop(4097), "count of a loop"),
        (lambda: Mac(0, 0, (Loop(1),) * 4, (), 0, Result.INT16, 1), "7 loops"),
        (lambda: Mac(0, 0, (), (), 0, Result.INT32, 1, relu=True), "ReLU"),
        (lambda: Mac(0, 0, (), (), 0, Result.INT16, 1, shift=48), "shift = 48"),
        (lambda: Total(0, (Loop(2, 600_000),), (), 0, 0), "A jump"),
        (lambda: Select(0, 0, (), (Loop(2, 0, 0, 3000),), 0, 0), "T jump"),
        (lambda: Softmax(0, 0, 0, 0, 512, 0, 1), "classes = 512"),
        (lambda: Factors(momentum=32768), "momentum = 32768"),
        (lambda: Semaphores((1, 2, 3)), "at most two"),
        (lambda: Semaphores((), (4, 4)), "at most two different"),
        (lambda: Semaphores((16,)), "outside 1 to 15"),
    ],
)
def test_what_does_not_fit_a_field_is_refused(make, said):
    with pytest.raises(UsageError, match=said):
        make()
