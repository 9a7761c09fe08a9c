"""Whatever goes wrong gives an exception with the registers, in time, and the next run works."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from specbp.overlay.faults import BuildMismatchError, DeadlineError, OverlayError
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
    Semaphores,
    Sgd,
    Softmax,
    Store,
    Total,
    encode,
)
from specbp.overlay.parameters import Parameters
from specbp.overlay.register_map import Error, Response
from specbp.simulation.verilated import NO_ANSWER


@pytest.fixture
def buffers(board):
    driver = board[1]
    source, destination = driver.allocate(8192), driver.allocate(8192)
    source[:] = np.arange(8192) % 249
    source.flush()
    return source, destination


@pytest.fixture
def assert_next_run_works(board, buffers):
    def check():
        source, destination = buffers
        program = [Copy(source.device_address, destination.device_address, 8192), End()]
        board[1].run(program, buffers)
        destination.invalidate()
        np.testing.assert_array_equal(destination, source)

    return check


def copy(buffers, size=8192, from_=0, to=0):
    source, destination = buffers
    return Copy(source.device_address + from_, destination.device_address + to, size)


BAD_FIELDS = {
    "size of 0": {"size": 0},
    "size beyond the limit": {"size": (1 << 26) + 1},
    "source not aligned": {"from_": 4, "size": 8},
    "destination not aligned": {"to": 1, "size": 8},
    "source before the buffers": {"from_": -8, "size": 8},
    "destination after the buffers": {"to": 8192, "size": 8},
    "last byte after the buffers": {"to": 8, "size": 8185},
}


@pytest.mark.parametrize("fields", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_field_out_of_range(board, buffers, assert_next_run_works, fields):
    with pytest.raises(OverlayError, match=r"descriptor 1 .COPY.: a field is out") as found:
        board[1].run([Nop(), copy(buffers, **fields), End()], buffers)
    assert found.value.code == Error.RANGE
    assert found.value.registers["CORE0_INDEX"] == 1
    assert "STATUS" in str(found.value)
    assert_next_run_works()


def test_an_address_that_wraps(board, assert_next_run_works):
    with pytest.raises(OverlayError, match="out of range"):
        board[1].run([Copy(0xFFFFFFF8, 0xFFFFFFF8, 16), End()], [])
    assert_next_run_works()


def test_the_last_byte_of_the_buffers_is_inside(board, buffers):
    board[1].run([copy(buffers, 8, to=8184), End()], buffers)


ADDRESS = 0
"""Stands for the first buffer in the descriptors below."""
MAC = Mac(0, 0, (Loop(2, 1, 1),), (Loop(2, 1),), 0, Result.INT16, 4)
BEYOND = {
    "load beyond the buffers of memory": Load(ADDRESS + 8184, Buffer.SCALAR, 0, 2 + 1024),
    "load before the buffers of memory": Load(ADDRESS, Buffer.SCALAR, 0, 1, (Move(2, -8, 1),)),
    "load beyond the scalar buffer": Load(ADDRESS, Buffer.SCALAR, 4095, 2),
    "load before the scalar buffer": Load(ADDRESS, Buffer.SCALAR, 0, 1, (Move(2, 8, -1),)),
    "load beyond the vector buffer": Load(ADDRESS, Buffer.VECTOR, 4 * 1024, 1),
    "load beyond the bias buffer": Load(ADDRESS, Buffer.BIAS, 1023, 2),
    "fill beyond the scalar buffer": Fill(0, Buffer.SCALAR, 4096, 1),
    "transposed beyond the vector buffer": LoadTransposed(ADDRESS, 4093, 1, 8),
    "store beyond the output buffer": Store(ADDRESS, 2047, 2),
    "store beyond the buffers of memory": Store(ADDRESS, 0, 1, (Move(3, 8192, 0),)),
    "scalars": replace(MAC, scalars=4 * 4096 - 2, results=(Loop(3, 1),)),
    "scalars before the buffer": replace(MAC, reducing=(Loop(2, -1),)),
    "vectors": replace(MAC, vectors=1023),
    "results": replace(MAC, result=2041),
    "results of int32": replace(MAC, result=2033, kind=Result.INT32),
    "sums": replace(MAC, result=2041, kind=Result.SUMS),
    "bias": replace(MAC, addend=Addend.BIAS, addend_base=509),
    "partial sums": replace(MAC, addend=Addend.PARTIAL, addend_base=2041),
    "maximum of": Maximum(4095, (Loop(2, 1),), (), 0),
    "index of the maximum": Maximum(0, (), (), 0, 2048),
    "total": Total(0, (), (Loop(2, -1),), 0, 0),
    "mask": Mask(0, 4095, (Loop(2, 0, 1),), 0),
    "select": Select(0, 4096, (), (), 0, 0),
    "logits": Softmax(4095, 0, 0, 9, 5, 6, 1),
    "labels": Softmax(0, 4 * 4096, 0, 9, 5, 6, 1),
    "probabilities": Softmax(0, 0, 2047, 9, 5, 6, 1),
    "deltas": Softmax(0, 0, 0, 2046, 5, 6, 2),
    "masters": Sgd(4095, 0, 0, 0, 1),
    "gradients": Sgd(0, 0, 4096, 0, 1),
    "weights": Sgd(0, 0, 0, 2044, 1),
}


@pytest.mark.parametrize("bad", BEYOND.values(), ids=BEYOND)
def test_an_address_beyond_a_buffer(board, buffers, assert_next_run_works, bad):
    if isinstance(bad, Load | LoadTransposed | Store):
        side = isinstance(bad, Store)
        bad = replace(bad, address=bad.address + buffers[side].device_address)
    # Its neighbours are right, and busy when it is found.
    fine = Fill(0, Buffer.SCALAR, 0, 9)
    with pytest.raises(OverlayError, match=r"descriptor 2 .*: a field is out of range") as found:
        board[1].run([fine, Nop(), bad, fine, fine, MAC, End()], buffers)
    assert found.value.code == Error.RANGE
    assert_next_run_works()


LOAD = Load(ADDRESS, Buffer.SCALAR, 0, 4)
BAD_WORDS = {
    "the same semaphore twice": (LOAD, 0, 0x1100),
    "the same signal twice": (LOAD, 0, 0x220000),
    "an address that is not aligned": (LOAD, 1, 4),
    "no such buffer": (LOAD, 2, 3 << 16),
    "no words": (LOAD, 3, 4),
    "no repeats": (LOAD, 4, 1),
    "a stride that is not aligned": (LOAD, 6, 2),
    "transposed to another buffer": (LoadTransposed(ADDRESS, 0, 1, 8), 2, 1 << 16),
    "a long run to transpose": (LoadTransposed(ADDRESS, 0, 1, 8), 3, 16),
    "no such result": (MAC, 3, 3),
    "no such addend": (MAC, 3, 3 << 2),
    "no groups": (MAC, 3, 4 << 5),
    "groups of other lanes": (MAC, 3, 1 << 5),
    "a shift of 48": (MAC, 3, 48 << 10),
    "a shift to the left of 63": (MAC, 3, 63 << 16),
    "ReLU of sums": (MAC, 3, 2 | 1 << 4),
    "a mask that reduces": (Mask(0, 0, (), 0), 3, 1),
    "one class": (Softmax(0, 0, 0, 9, 5, 6, 1), 3, 5 ^ 1),
    "no samples": (Softmax(0, 0, 0, 9, 5, 6, 1), 3, 1 << 16),
    "no weights": (Sgd(0, 0, 0, 0, 1), 3, 1),
    "a shift of the rate of 48": (Sgd(0, 0, 0, 0, 1), 5, 48 << 16),
}


@pytest.mark.parametrize(("descriptor", "word", "flip"), BAD_WORDS.values(), ids=BAD_WORDS)
def test_a_field_that_the_instructions_do_not_allow(
    board, buffers, assert_next_run_works, descriptor, word, flip
):
    if isinstance(descriptor, Load | LoadTransposed | Store):
        descriptor = replace(descriptor, address=buffers[0].device_address)
    words = encode([Nop(), descriptor, End()])
    words[1, word] ^= flip
    with pytest.raises(OverlayError, match=r"descriptor 1 .*: a field is out of range"):
        board[1].run(words, buffers)
    assert_next_run_works()


def test_a_semaphore_that_nobody_signals(board, assert_next_run_works):
    waits = Mask(0, 0, (), 0, Semaphores((7,)))
    program = [Fill(0, Buffer.SCALAR, 0, 1), waits, Fill(0, Buffer.SCALAR, 0, 1), End()]
    with pytest.raises(OverlayError, match=r"descriptor 1 .MASK.: .* more than 3000 cycles"):
        board[1].run(program, [], watchdog=3000)
    # Signals of the run before count no more.
    signals = Fill(0, Buffer.SCALAR, 0, 1, order=Semaphores((), (7,)))
    board[1].run([signals, End()], [])
    with pytest.raises(OverlayError, match=r"descriptor 1 .MASK.: "):
        board[1].run(program, [], watchdog=3000)
    assert_next_run_works()


def test_bus_errors_show_the_descriptor_among_those_under_way(
    board, buffers, assert_next_run_works
):
    device, driver = board
    source, destination = (buffer.device_address for buffer in buffers)
    loads = [Load(source + 1024 * part, Buffer.SCALAR, 0, 128) for part in range(6)]
    device.model.add_fault(source + 3 * 1024 + 700, source + 3 * 1024 + 701, Response.SLVERR)
    with pytest.raises(OverlayError, match=r"descriptor 3 .LOAD.: bus error on a read .SLVERR"):
        driver.run([*loads, End()], buffers)
    device.model.clear_faults()
    stores = [Store(destination + 1024 * part, 0, 128) for part in range(6)]
    device.model.add_fault(destination + 2048, destination + 2048, Response.DECERR)
    with pytest.raises(OverlayError, match=r"descriptor 2 .STORE.: bus error on a write .DECERR"):
        driver.run([*stores, End()], buffers)
    device.model.clear_faults()
    assert_next_run_works()


@pytest.mark.parametrize("word", [0x4, 0xFF], ids=hex)
def test_an_unknown_opcode(board, assert_next_run_works, word):
    program = np.zeros((1, 16), np.uint32)
    program[0, 0] = word
    with pytest.raises(OverlayError, match=f"opcode 0x{word:02X}.: unknown opcode") as found:
        board[1].run(program, [])
    assert found.value.code == Error.OPCODE
    assert_next_run_works()


def test_bits_beyond_the_opcode(board, assert_next_run_works):
    program = np.zeros((1, 16), np.uint32)
    program[0, 0] = 0x101
    with pytest.raises(OverlayError, match="out of range"):
        board[1].run(program, [])
    assert_next_run_works()


def test_a_program_without_end(board, assert_next_run_works):
    for program in ([Nop()], []):
        with pytest.raises(OverlayError, match="no END") as found:
            board[1].run(program, [])
        assert found.value.code == Error.NO_END
    assert_next_run_works()


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("side", [0, 1], ids=["read", "write"])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_a_bus_error(board, buffers, assert_next_run_works, response, side, stall):
    device, driver = board
    device.model.set_stalls(7, stall)
    bad = buffers[side].device_address + 5000
    device.model.add_fault(bad, bad, response)
    with pytest.raises(OverlayError, match=f"descriptor 1 .*{response.name}") as found:
        driver.run([Nop(), copy(buffers), End()], buffers)
    assert found.value.code == (Error.READ, Error.WRITE)[side]
    device.model.clear_faults()
    assert_next_run_works()


def test_a_descriptor_that_cannot_be_fetched(board, assert_next_run_works):
    device, driver = board
    memory = device.get_memory(None)
    # The program is the next buffer to be allocated; its second descriptor is at fault.
    free = memory.take(1)
    memory.return_pointer(free)
    device.model.add_fault(free + 64, free + 127, Response.SLVERR)
    with pytest.raises(OverlayError, match="descriptor 1: bus error while it was fetched"):
        driver.run([Nop(500), Nop(), End()], [])
    # The one after END is fetched ahead, and its error is nobody's.
    driver.run([End(), Nop(), End()], [])
    device.model.clear_faults()
    assert_next_run_works()


def test_a_program_in_which_nothing_goes_on(board, assert_next_run_works):
    with pytest.raises(OverlayError, match="nothing went on for more than 2000 cycles") as found:
        board[1].run([Nop(1000), Nop(1000), Nop(4000), End()], [], watchdog=2000)
    assert found.value.registers["CORE0_INDEX"] == 2
    assert_next_run_works()


def test_a_program_that_never_ends(board, assert_next_run_works):
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"did not end within 0\.3 s") as found:
        board[1].run([Nop(0xFFFFFFFF), End()], [], deadline_s=0.3, watchdog=0)
    assert time.monotonic() - started < 5
    assert re.search(r"CORE0_STATUS +0x\w+ busy=1", str(found.value))
    assert_next_run_works()


@pytest.mark.parametrize("side", [0, 1], ids=["read", "write"])
def test_memory_that_never_answers(open_board, board, buffers, assert_next_run_works, side):
    import pynq

    device, driver = board
    bad = buffers[side].device_address + 4096
    device.model.add_fault(bad, bad, NO_ANSWER)
    # The watchdog reports, but the bus cannot be brought to rest: only programming helps.
    with pytest.raises(DeadlineError, match="program it again"):
        driver.run([copy(buffers), End()], buffers, watchdog=10_000)
    device.model.clear_faults()
    pynq.Overlay(device.bitstream, device=device)
    assert_next_run_works()


def test_a_wrong_build_identifier(open_board):
    class Other(Parameters):
        build_identifier = 0xBAD

    _, overlay = open_board(parameters=Other(), memory_bytes=1 << 20)
    with pytest.raises(BuildMismatchError, match="0x00000BAD") as found:
        _ = overlay.specbp_0
    assert found.value.registers["BUILD"] == 0xBAD


def test_other_parameters_than_required(board):
    board[1].require(Parameters())
    with pytest.raises(BuildMismatchError, match="lanes=64"):
        board[1].require(Parameters(lanes=64))
