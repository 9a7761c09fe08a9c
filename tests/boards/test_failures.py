"""Whatever goes wrong gives an exception with the registers, in time, and the next run works."""

import re
import time

import numpy as np
import pytest

from specbp.boards.verilated import NO_ANSWER
from specbp.overlay.faults import BuildMismatchError, DeadlineError, OverlayError
from specbp.overlay.isa import Copy, End, Nop
from specbp.overlay.parameters import Parameters
from specbp.overlay.register_map import Error, Response


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
    assert found.value.registers["INDEX"] == 1
    assert "STATUS" in str(found.value)
    assert_next_run_works()


def test_an_address_that_wraps(board, assert_next_run_works):
    with pytest.raises(OverlayError, match="out of range"):
        board[1].run([Copy(0xFFFFFFF8, 0xFFFFFFF8, 16), End()], [])
    assert_next_run_works()


def test_the_last_byte_of_the_buffers_is_inside(board, buffers):
    board[1].run([copy(buffers, 8, to=8184), End()], buffers)


@pytest.mark.parametrize("word", [0x3, 0xFF], ids=hex)
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


def test_a_descriptor_that_runs_for_too_long(board, assert_next_run_works):
    with pytest.raises(OverlayError, match="ran for more than 2000 cycles") as found:
        board[1].run([Nop(1000), Nop(1000), Nop(4000), End()], [], watchdog=2000)
    assert found.value.registers["INDEX"] == 2
    assert_next_run_works()


def test_a_program_that_never_ends(board, assert_next_run_works):
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"did not end within 0\.3 s") as found:
        board[1].run([Nop(0xFFFFFFFF), End()], [], deadline_s=0.3, watchdog=0)
    assert time.monotonic() - started < 5
    assert re.search(r"STATUS +0x\w+ busy=1", str(found.value))
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
