"""The simulated overlay as a PYNQ.remote board: pynq's own client drives it, unmodified.

The messages are pynq's own. The protocol has no authentication: who reaches the port, has the
board. One client's call is done after the other, in one thread, as the simulation wants it.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np

from specbp.boards.programmable import ProgrammableDevice
from specbp.deploy.address import REMOTE_PORT
from specbp.errors import SpecbpError, UsageError
from specbp.overlay.parameters import Parameters
from specbp.overlay.quiet import pynq_imports
from specbp.remote.files import BoardFiles

with pynq_imports():
    from pynq.remote import (
        buffer_pb2,
        buffer_pb2_grpc,
        mmio_pb2,
        mmio_pb2_grpc,
        remote_device_pb2,
        remote_device_pb2_grpc,
    )

BOARD = "simulated"
CHUNK = 2 << 20
CYCLES_BETWEEN = 200_000
"""At most so many cycles pass between two accesses: the simulation is slower than a board."""


class Server:
    """Serves from `start` to `close`.

    Args:
        host: name or address to listen on.
        port: 0 for any that is free.
        parameters: of the overlay that is there before anything is programmed.
        memory_bytes: of the board.
        anywhere: allow an address that others can reach.

    Attributes:
        port: where it listens.

    Raises:
        UsageError: the address is not loopback, and that was not asked for; or it is in use.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = REMOTE_PORT,
        parameters: Parameters | None = None,
        memory_bytes: int = 64 << 20,
        anywhere: bool = False,
    ) -> None:
        if not (anywhere or is_loopback(host)):
            raise UsageError(
                f"{host} can be reached from other machines, and PYNQ.remote has no "
                "authentication: whoever reaches it has the board. Use 127.0.0.1 with an SSH "
                "tunnel, or ask for it with --allow-anyone"
            )
        self._device = device = ProgrammableDevice(parameters, memory_bytes)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)]
        )
        files = BoardFiles(BOARD, lambda content: device.configure(_swapped(content)))
        remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(_Files(files), self._server)
        mmio_pb2_grpc.add_MmioServicer_to_server(_Registers(device), self._server)
        buffer_pb2_grpc.add_RemoteBufferServicer_to_server(_Buffers(device), self._server)
        where = f"[{host}]" if ":" in host else host
        try:
            self.port = self._server.add_insecure_port(f"{where}:{port}")
        except RuntimeError:
            self.port = 0
        if not self.port:
            device.close()
            raise UsageError(f"{host}:{port} is in use: choose another --port")

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def wait(self) -> None:
        """Wait until it is closed."""
        self._server.wait_for_termination()

    def close(self) -> None:
        """End."""
        self._server.stop(0.5).wait()
        self._device.close()


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Files(remote_device_pb2_grpc.RemoteDeviceServicer):  # type: ignore[misc]
    def __init__(self, files: BoardFiles) -> None:
        self._files = files

    def existsfile(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.ExistsFileResponse(exists=self._files.exists(request.file_path))

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        try:
            content = self._files.read(request.file_path)
        except FileNotFoundError:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.file_path}: no such file")
        for start in range(0, len(content), CHUNK):
            yield remote_device_pb2.ReadFileResponse(data=content[start : start + CHUNK])

    def writefile(self, requests: Iterable[Any], context: Any) -> Any:
        path, content = "", b""
        for request in requests:
            path, content = request.file_path, content + request.data
        try:
            self._files.write(path, content)
        except (OSError, SpecbpError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return remote_device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        return remote_device_pb2.SetBitstreamAttrsResponse(status=not request.partial)


class _Registers(mmio_pb2_grpc.MmioServicer):  # type: ignore[misc]
    """Registers; time passes between accesses, as on a board, which does not wait for its host."""

    def __init__(self, device: ProgrammableDevice) -> None:
        self._device = device
        self._places: list[tuple[int, int]] = []
        self._last = time.monotonic()

    def get_mmio(self, request: Any, context: Any) -> Any:
        try:
            self._device.mmap(request.base_addr, request.length)
        except SpecbpError as error:
            return mmio_pb2.GetMmioResponse(status=False, msg=str(error))
        self._places.append((request.base_addr, request.length))
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=str(len(self._places) - 1))

    def read(self, request: Any, context: Any) -> Any:
        try:
            value = self._window(request.mmio_id)[request.offset // 4]
        except (SpecbpError, LookupError, ValueError) as error:
            return mmio_pb2.ReadResponse(status=False, msg=str(error))
        mask = (1 << 8 * min(request.length, 4)) - 1
        # The message has a signed field.
        data = int(np.array(value & mask, np.uint32).astype(np.int32))
        return mmio_pb2.ReadResponse(status=True, data=data)

    def write(self, request: Any, context: Any) -> Any:
        try:
            window = self._window(request.mmio_id)
            for place, word in enumerate(np.frombuffer(request.data, "<u4")):
                window[request.offset // 4 + place] = int(word)
        except (SpecbpError, LookupError, ValueError) as error:
            return mmio_pb2.WriteResponse(status=False, msg=str(error))
        return mmio_pb2.WriteResponse(status=True)

    def _window(self, number: str) -> Any:
        now = time.monotonic()
        cycles = min(CYCLES_BETWEEN, int((now - self._last) * self._device.clock_hz))
        self._device.model.run(cycles)
        self._last = time.monotonic()
        # Made anew: what was programmed since has other registers behind it.
        return self._device.mmap(*self._places[int(number)])


class _Buffers(buffer_pb2_grpc.RemoteBufferServicer):  # type: ignore[misc]
    def __init__(self, device: ProgrammableDevice) -> None:
        self._device = device
        self._buffers: dict[str, Any] = {}
        self._made = 0

    def allocate(self, request: Any, context: Any) -> Any:
        try:
            buffer = self._device.allocate((request.size,), np.uint8)
        except SpecbpError as error:
            return buffer_pb2.AllocateResponse(msg=str(error))
        self._made += 1
        self._buffers[str(self._made)] = buffer
        return buffer_pb2.AllocateResponse(buffer_id=str(self._made))

    def write(self, requests: Iterable[Any], context: Any) -> Any:
        start = 0
        for request in requests:
            buffer = self._buffers.get(request.buffer_id)
            if buffer is None:
                return buffer_pb2.BufferWriteResponse(msg=_unknown(request.buffer_id))
            if start + len(request.data) > buffer.nbytes:
                return buffer_pb2.BufferWriteResponse(msg="more bytes than the buffer has")
            buffer[start : start + len(request.data)] = np.frombuffer(request.data, np.uint8)
            start += len(request.data)
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        if request.buffer_id not in self._buffers:
            yield buffer_pb2.BufferReadResponse(msg=_unknown(request.buffer_id))
            return
        content = np.asarray(self._buffers[request.buffer_id]).tobytes()
        for start in range(0, len(content), CHUNK):
            yield buffer_pb2.BufferReadResponse(data=content[start : start + CHUNK])

    def freebuffer(self, request: Any, context: Any) -> Any:
        buffer = self._buffers.pop(request.buffer_id, None)
        if buffer is None:
            return buffer_pb2.FreeBufferResponse(msg=_unknown(request.buffer_id))
        buffer.freebuffer()
        return buffer_pb2.FreeBufferResponse()

    def flush(self, request: Any, context: Any) -> Any:
        return buffer_pb2.FlushResponse(msg=self._do(request.buffer_id, "flush"))

    def invalidate(self, request: Any, context: Any) -> Any:
        return buffer_pb2.InvalidateResponse(msg=self._do(request.buffer_id, "invalidate"))

    def physical_address(self, request: Any, context: Any) -> Any:
        return self._address(request, "device_address")

    def virtual_address(self, request: Any, context: Any) -> Any:
        return self._address(request, "virtual_address")

    def cacheable(self, request: Any, context: Any) -> Any:
        return buffer_pb2.CacheableResponse(cacheable=True)

    def _do(self, number: str, what: str) -> str:
        if number not in self._buffers:
            return _unknown(number)
        getattr(self._buffers[number], what)()
        return ""

    def _address(self, request: Any, which: str) -> Any:
        if request.buffer_id not in self._buffers:
            return buffer_pb2.AddressResponse(msg=_unknown(request.buffer_id))
        address = getattr(self._buffers[request.buffer_id], which)
        return buffer_pb2.AddressResponse(address=int(address))


def _unknown(number: str) -> str:
    return f"there is no buffer {number}: it was freed, or the server was started anew"


def _swapped(content: bytes) -> bytes:
    """Return what a .bit file held before it became a .bin file: words the other way round."""
    whole = content[: len(content) // 4 * 4]
    return np.frombuffer(whole, "i4").byteswap().tobytes()
