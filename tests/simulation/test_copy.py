"""Programs of copies, run through pynq, against numpy."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.overlay.instructions import Copy, End, Nop

ROOM = 40_000
"""Bytes of a buffer: several 4 KB pages, more than the copy unit's queue holds."""


@pytest.fixture(scope="module")
def shared(open_board):
    """One board for all examples, with a source and a destination."""
    device, overlay = open_board(memory_bytes=4 << 20)
    driver = overlay.specbp_0
    yield device, driver, driver.allocate(ROOM), driver.allocate(ROOM)
    assert device.model.violations == 0


@st.composite
def copies(draw):
    """Up to six copies as (source, destination, size), offsets of 8-byte words."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.one_of(st.integers(1, 300), st.integers(1, 12_000)))
        most = (ROOM - size) // 8
        # Near the end of a page, where a burst must be cut, or anywhere.
        near_page = st.integers(1, 16).map(lambda words, most=most: min(most, 512 - words))
        where = st.one_of(near_page, st.integers(0, most))
        found.append((8 * draw(where), 8 * draw(where), size))
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=copies(),
    seed=st.integers(0, 2**32),
    stall=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    waits=st.booleans(),
)
def test_copies_equal_numpy_under_random_stalls(shared, parts, seed, stall, waits):
    device, driver, source, destination = shared
    device.model.set_stalls(seed, stall)
    random = np.random.default_rng(seed)
    source[:] = random.integers(0, 256, ROOM, np.uint8)
    destination[:] = random.integers(0, 256, ROOM, np.uint8)
    source.flush()
    destination.flush()
    expected = np.array(destination)
    program = []
    for from_, to, size in parts:
        expected[to : to + size] = source[from_ : from_ + size]
        program.append(Copy(source.device_address + from_, destination.device_address + to, size))
        program += [Nop(3)] if waits else []
    driver.run([*program, End()], [source, destination])
    destination.invalidate()
    np.testing.assert_array_equal(destination, expected)
    assert device.model.violations == 0


def test_a_copy_sees_what_the_copy_before_it_wrote(shared):
    device, driver, source, destination = shared
    device.model.set_stalls(1, 0.5)
    source[:] = np.arange(ROOM) % 251
    source.flush()
    start, back = source.device_address, destination.device_address
    driver.run(
        [
            Copy(start, back, 4096),
            Copy(back, back + 8192, 4096),
            Copy(back + 8192, start, 4096),
            Copy(start, back + 16384, 4096),
            End(),
        ],
        [source, destination],
    )
    destination.invalidate()
    np.testing.assert_array_equal(destination[16384 : 16384 + 4096], source[:4096])


def test_a_long_copy_runs_at_the_memorys_pace(board):
    driver = board[1]
    size = 256 << 10
    source, destination = driver.allocate(size), driver.allocate(size)
    run = driver.run(
        [Copy(source.device_address, destination.device_address, size), End()],
        [source, destination],
    )
    assert size / 8 < run.cycles < 1.05 * size / 8


def test_simulated_seconds_follow_the_clock(board):
    import pynq

    device, driver = board
    fast = driver.run([Nop(10_000), End()], [])
    assert fast.seconds == pytest.approx(fast.cycles / 100e6)
    pynq.Clocks.fclk0_mhz = 50
    assert device.clock_hz == 50e6
    slow = driver.run([Nop(10_000), End()], [])
    assert slow.seconds == pytest.approx(slow.cycles / 50e6)
    # Seen from the slower clock, the memory answers in fewer cycles.
    assert slow.cycles < fast.cycles


def test_what_was_not_flushed_is_not_seen(board):
    driver = board[1]
    source, destination = driver.allocate(64), driver.allocate(64)
    program = [Copy(source.device_address, destination.device_address, 64), End()]
    source[:] = 1
    driver.run(program, [source, destination])
    destination.invalidate()
    assert not destination.any()
    source.flush()
    driver.run(program, [source, destination])
    assert not destination.any()
    destination.invalidate()
    assert destination.all()


def test_a_coherent_buffer_needs_no_flush(board):
    device, driver = board
    source = device.allocate(64, np.uint8, cacheable=False)
    destination = device.allocate(64, np.uint8, cacheable=False)
    source[:] = 3
    program = [Copy(source.device_address, destination.device_address, 64), End()]
    driver.run(program, [source, destination])
    assert (destination == 3).all()


def test_a_slice_of_a_buffer_flushes_just_itself(board):
    device, driver = board
    buffer = driver.allocate(128)
    buffer[:] = 5
    buffer[64:].flush()
    seen = device.get_memory(None).bytes_at(buffer.device_address, 128)
    assert not seen[:64].any() and (seen[64:] == 5).all()
