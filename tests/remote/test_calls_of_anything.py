"""Calls of anything: the server answers or refuses each, says nothing, and goes on.

`bench/test_fuzzing.py` does the same for longer.
"""

import random
import threading
import time

import grpc
import psutil

from specbp.overlay.quiet import pynq_imports
from tests.fuzzing import mutated
from tests.remote.conftest import serving

with pynq_imports():
    from pynq.remote import buffer_pb2, mmio_pb2, remote_device_pb2

NUMBERS = [
    0,
    1,
    3,
    4,
    64,
    0xFFC,
    0x1000,
    0x43C00000,
    0xF8000000,
    2**31 - 1,
    2**32,
    2**63,
    2**64 - 1,
]
PATHS = [
    "/proc/version", "/tmp/a", "/tmp/specbp-lease.json", "/lib/firmware/a.bin", "", "../../etc",
    "/sys/class/fpga_manager/fpga0/firmware", "/sys/class/fpga_manager/fpga0/flags", "/" * 9000,
]  # fmt: skip
DATA = [b"", b"a.bin", b"\0" * 4, b"{}", b'{"name": 1}', bytes(1 << 20)]
UNARY, ANSWERS, REQUESTS = "unary_unary", "unary_stream", "stream_unary"
METHODS = {
    "remote_device.RemoteDevice/existsfile": (UNARY, remote_device_pb2.ExistsFileRequest),
    "remote_device.RemoteDevice/readfile": (ANSWERS, remote_device_pb2.ReadFileRequest),
    "remote_device.RemoteDevice/writefile": (REQUESTS, remote_device_pb2.WriteFileRequest),
    "remote_device.RemoteDevice/set_bitstream_attrs": (
        UNARY, remote_device_pb2.SetBitstreamAttrsRequest,
    ),
    "remote_device.RemoteDevice/shutdown": (UNARY, remote_device_pb2.ShutdownRequest),
    "remote_device.RemoteDevice/set_pl_clk": (UNARY, remote_device_pb2.SetPlClkRequest),
    "remote_device.RemoteDevice/download": (REQUESTS, remote_device_pb2.DownloadRequest),
    "remote_device.RemoteDevice/nothing": (UNARY, remote_device_pb2.ExistsFileRequest),
    "mmio.Mmio/get_mmio": (UNARY, mmio_pb2.GetMmioRequest),
    "mmio.Mmio/read": (UNARY, mmio_pb2.ReadRequest),
    "mmio.Mmio/write": (UNARY, mmio_pb2.WriteRequest),
    "buffer.RemoteBuffer/allocate": (UNARY, buffer_pb2.AllocateRequest),
    "buffer.RemoteBuffer/write": (REQUESTS, buffer_pb2.BufferWriteRequest),
    "buffer.RemoteBuffer/read": (ANSWERS, buffer_pb2.BufferReadRequest),
    "buffer.RemoteBuffer/freebuffer": (UNARY, buffer_pb2.FreeBufferRequest),
    "buffer.RemoteBuffer/flush": (UNARY, buffer_pb2.FlushRequest),
    "buffer.RemoteBuffer/invalidate": (UNARY, buffer_pb2.InvalidateRequest),
    "buffer.RemoteBuffer/physical_address": (UNARY, buffer_pb2.AddressRequest),
    "buffer.RemoteBuffer/virtual_address": (UNARY, buffer_pb2.AddressRequest),
    "buffer.RemoteBuffer/cacheable": (UNARY, buffer_pb2.CacheableRequest),
}  # fmt: skip
ANSWERED = {
    grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.CANCELLED,
}  # fmt: skip


def services():
    """The names of the services, as pynq's files have them."""
    return {
        file.services_by_name[name].full_name
        for file in (remote_device_pb2.DESCRIPTOR, mmio_pb2.DESCRIPTOR, buffer_pb2.DESCRIPTOR)
        for name in file.services_by_name
    }


def message(source, kind):
    """Return the bytes of a message with likely values; damaged now and then."""
    made = kind()
    for field in made.DESCRIPTOR.fields:
        values = {
            field.TYPE_STRING: [*PATHS, "0", "1", "2", "-1", "<u1"],
            field.TYPE_BYTES: DATA,
            field.TYPE_BOOL: [True, False],
        }.get(field.type, NUMBERS)
        value = source.choice(values)
        if field.type == field.TYPE_INT32:
            value = (value + 2**31) % 2**32 - 2**31
        elif isinstance(value, int) and field.type != field.TYPE_BOOL:
            value %= 2**32 if field.type == field.TYPE_UINT32 else 2**64
        if source.random() < 0.9:
            setattr(made, field.name, value)
    content = made.SerializeToString()
    return mutated(source, content) if source.random() < 0.2 else content


def call(source, channel):
    """Make one call; return its status."""
    method, (form, kind) = source.choice(list(METHODS.items()))
    stub = getattr(channel, form)(f"/{method}")
    one = message(source, kind)
    request = one
    if form == REQUESTS:
        request = iter([one, *(message(source, kind) for _ in range(source.randrange(4)))])
    try:
        if form == ANSWERS:
            answers = stub(request, timeout=60)
            for _ in answers:
                if source.random() < 0.1:
                    answers.cancel()
        elif form == REQUESTS and source.random() < 0.1:
            pending = stub.future(request, timeout=60)
            pending.cancel()
        else:
            stub(request, timeout=60)
    except grpc.FutureCancelledError:
        return grpc.StatusCode.CANCELLED
    except grpc.RpcError as error:
        # gRPC's own answer to bytes that are no message.
        unread = "Error parsing message" in error.details()
        assert unread or error.code() in ANSWERED, (method, error.code(), error.details())
        return error.code()
    return grpc.StatusCode.OK


def fuzz(address, seconds, seed, clients=4):
    """Call for so long from several clients that come and go; return the statuses they got."""
    statuses, wrong, end = [], [], time.monotonic() + seconds

    def work(number):
        source = random.Random(f"{seed} {number}")
        while time.monotonic() < end:
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(address, options) as channel:
                for _ in range(source.randrange(200)):
                    if time.monotonic() > end:
                        break
                    try:
                        statuses.append(call(source, channel))
                    except AssertionError as error:
                        wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    return statuses


def fuzz_a_board(seconds, seed):
    """Fuzz a server, then see that it is as good as new."""
    with serving(deadline=2.0) as board:
        process = psutil.Process(board.process.pid)
        before = process.memory_info().rss
        statuses = fuzz(board.address, seconds, seed)
        assert statuses.count(grpc.StatusCode.OK) > len(statuses) / 20
        # Its memory, its files, and what gRPC holds on to.
        assert process.memory_info().rss - before < 300 << 20
        from pynq.pl_server.remote_device import RemoteDevice

        device = RemoteDevice(ip_addr="127.0.0.1", port=board.port)
        for _ in range(50):
            try:
                device.allocate((4096,), "u1").freebuffer()
                break
            except grpc.RpcError:
                time.sleep(0.1)
        else:
            raise AssertionError("the board is still in use by a client that is gone")
        assert device.mmap(0x43C00000, 4).read(0) == 0x53504250
        device.client.channel.close()
    return statuses


def test_all_methods_are_called():
    assert services() == {name.partition("/")[0] for name in METHODS}


def test_calls_of_anything():
    assert len(fuzz_a_board(5.0, seed=0)) > 50
