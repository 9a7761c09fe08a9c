"""What a client may ask of a board, and what it costs the others."""

import os
import signal
import threading
import time

import grpc
import psutil
import pytest

from specbp.overlay.quiet import pynq_imports
from tests.remote.conftest import serving, soon

with pynq_imports():
    from pynq.remote import (
        buffer_pb2,
        buffer_pb2_grpc,
        mmio_pb2,
        mmio_pb2_grpc,
        remote_device_pb2,
        remote_device_pb2_grpc,
    )

OVERLAY = 0x43C00000


class Stubs:
    """The three services."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        self.files = remote_device_pb2_grpc.RemoteDeviceStub(self.channel)
        self.registers = mmio_pb2_grpc.MmioStub(self.channel)
        self.buffers = buffer_pb2_grpc.RemoteBufferStub(self.channel)


@pytest.fixture(scope="module")
def board():
    with serving(deadline=2.0) as served:
        yield served


@pytest.fixture
def stubs(board):
    made = Stubs(board.address)
    yield made
    made.channel.close()


def chunks(total, size=1 << 20, path="/tmp/large"):
    for _ in range(0, total, size):
        yield remote_device_pb2.WriteFileRequest(file_path=path, data=bytes(size))


def held_stream(stubs, ended):
    """A stream that begins and then sends nothing until `ended`."""

    def requests():
        yield from chunks(1 << 20)
        ended.wait()

    return stubs.files.writefile.future(requests())


def test_open_streams_hold_up_nobody(board, stubs):
    ended = threading.Event()
    streams = [held_stream(stubs, ended) for _ in range(20)]
    other = Stubs(board.address)
    began = time.monotonic()
    request = remote_device_pb2.ExistsFileRequest(file_path="/proc/version")
    for _ in range(20):
        assert other.files.existsfile(request, timeout=5).exists
    assert time.monotonic() - began < 2
    ended.set()
    for stream in streams:
        assert stream.exception() is None
    other.channel.close()


def test_a_stream_that_stops_is_given_up(stubs):
    stream = held_stream(stubs, threading.Event())
    with pytest.raises(grpc.RpcError, match="did not go on for 2 s"):
        stream.result(timeout=20)


def test_a_reader_that_stops_is_given_up(stubs):
    stubs.files.writefile(chunks(48 << 20))
    answers = stubs.files.readfile(remote_device_pb2.ReadFileRequest(file_path="/tmp/large"))
    time.sleep(4)
    with pytest.raises(grpc.RpcError, match="did not go on for 2 s"):
        list(answers)
    stubs.files.writefile(iter(chunks(1)))


def test_a_stream_without_end_is_refused_before_it_fills_memory(board, stubs):
    process, highest, done = psutil.Process(board.process.pid), 0, threading.Event()

    def watch():
        nonlocal highest
        while not done.wait(0.02):
            highest = max(highest, process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(grpc.RpcError, match="no space left"):
        stubs.files.writefile(chunks(700 << 20))
    done.set()
    watcher.join()
    assert highest - before < 128 << 20
    # What was reserved for it is there again.
    stubs.files.writefile(chunks(60 << 20))
    stubs.files.writefile(chunks(1))


BAD_WINDOWS = {
    "negative length": (OVERLAY, -4 % 2**64),
    "negative address": (-OVERLAY % 2**64, 4),
    "length 0": (OVERLAY, 0),
    "beyond the span": (OVERLAY, 0x1004),
    "begins before it": (OVERLAY - 4, 8),
    "begins behind it": (OVERLAY + 0x1000, 4),
    "the whole address space": (0, 2**64 - 1),
    "no such address": (0x80000000, 4),
}


@pytest.mark.parametrize("place", BAD_WINDOWS.values(), ids=BAD_WINDOWS)
def test_windows_outside_of_the_registers_are_refused(stubs, place):
    answer = stubs.registers.get_mmio(mmio_pb2.GetMmioRequest(base_addr=place[0], length=place[1]))
    assert not answer.status and "no registers at address" in answer.msg


BAD_READS = {
    "negative offset": {"offset": -4 % 2**64, "length": 4},
    "behind the window": {"offset": 64, "length": 4},
    "not aligned": {"offset": 2, "length": 4},
    "8 bytes": {"offset": 0, "length": 8},
    "negative length": {"offset": 0, "length": -4 % 2**64},
    "no window": {"mmio_id": "77"},
    "negative window": {"mmio_id": "-1"},
    "window of letters": {"mmio_id": "first"},
}


@pytest.mark.parametrize("fields", BAD_READS.values(), ids=BAD_READS)
def test_reads_outside_of_the_window_are_refused(stubs, fields):
    request = mmio_pb2.GetMmioRequest(base_addr=OVERLAY, length=64)
    number = stubs.registers.get_mmio(request).mmio_id
    answer = stubs.registers.read(mmio_pb2.ReadRequest(**{"mmio_id": number, **fields}))
    assert not answer.status and answer.msg


BAD_WRITES = {
    "negative offset": (-4 % 2**64, bytes(4)),
    "behind the window": (64, bytes(4)),
    "the last word behind it": (60, bytes(8)),
    "no bytes": (0, b""),
    "half a word": (0, bytes(2)),
    "a megabyte": (0, bytes(1 << 20)),
}


@pytest.mark.parametrize(("offset", "data"), BAD_WRITES.values(), ids=BAD_WRITES)
def test_writes_outside_of_the_window_are_refused(stubs, offset, data):
    request = mmio_pb2.GetMmioRequest(base_addr=OVERLAY, length=64)
    number = stubs.registers.get_mmio(request).mmio_id
    request = mmio_pb2.WriteRequest(mmio_id=number, offset=offset, data=data)
    answer = stubs.registers.write(request)
    assert not answer.status and answer.msg


@pytest.mark.parametrize("size", [-1, 0, -(1 << 31), 65 << 20, (1 << 31) - 1])
def test_sizes_that_no_buffer_has_are_refused(stubs, size):
    with pytest.raises(grpc.RpcError, match=r"no buffer of -?\d+ bytes|no room"):
        stubs.buffers.allocate(buffer_pb2.AllocateRequest(size=size))


def test_buffers_and_windows_of_one_client_are_bounded(stubs):
    with pytest.raises(grpc.RpcError, match=r"4096 buffers at most"):
        for _ in range(5000):
            stubs.buffers.allocate(buffer_pb2.AllocateRequest(size=1))
    number = {
        stubs.registers.get_mmio(mmio_pb2.GetMmioRequest(base_addr=OVERLAY, length=64)).mmio_id
        for _ in range(100)
    }
    assert len(number) == 1


def test_a_buffer_of_somebody_else_is_not_there(board, stubs):
    number = stubs.buffers.allocate(buffer_pb2.AllocateRequest(size=64)).buffer_id
    stubs.channel.close()
    other = Stubs(board.address)

    def answer():
        try:
            return other.buffers.physical_address(buffer_pb2.AddressRequest(buffer_id=number)).msg
        except grpc.RpcError:
            return ""

    assert soon(lambda: "there is no buffer" in answer())
    other.channel.close()


def test_the_first_ctrl_c_ends_a_server_with_open_streams():
    with serving() as board:
        ended = threading.Event()
        stubs = Stubs(board.address)
        streams = [held_stream(stubs, ended) for _ in range(3)]
        time.sleep(0.5)
        os.kill(board.process.pid, signal.SIGINT)
        board.process.join(10)
        assert board.process.exitcode == 0
        ended.set()
        assert all(stream.exception() for stream in streams)
        stubs.channel.close()
