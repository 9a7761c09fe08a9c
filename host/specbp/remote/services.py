"""PYNQ.remote's services on a simulated board, in pynq's own messages.

All calls are done in one event loop, one after the other, as the simulation wants it; while a
client is slow, or the board is programmed, the others go on. Sizes, offsets and addresses are
checked here: a client can send anything.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from specbp.errors import SpecbpError
from specbp.overlay.quiet import pynq_imports
from specbp.remote.clients import MOST_BUFFERS, MOST_WINDOWS, Client, Clients, InUseError
from specbp.remote.files import BoardFiles, Upload
from specbp.remote.lease import LEASE_FILE, Holder, encode_holder, read_holder
from specbp.simulation.programmable import ProgrammableDevice

with pynq_imports():
    from pynq.remote import (
        buffer_pb2,
        buffer_pb2_grpc,
        mmio_pb2,
        mmio_pb2_grpc,
        remote_device_pb2,
        remote_device_pb2_grpc,
    )

CHUNK = 2 << 20
CHUNK_DEADLINE_S = 20.0
"""A client that neither sends nor takes the next chunk for so long is given up."""
CYCLES_BETWEEN = 200_000
"""At most so many cycles pass between two accesses: the simulation is slower than a board."""
_DATA = mmio_pb2.ReadResponse.DESCRIPTOR.fields_by_name["data"]
_REGISTER = np.int32 if _DATA.type == _DATA.TYPE_INT32 else np.uint32
"""How pynq's message holds a register: pynq 3.1 with a sign, 4.0 without."""
REFUSED = (SpecbpError, OSError, LookupError, ValueError, OverflowError)
"""What a bad request raises."""


@dataclass
class Served:
    """A board that is served.

    Attributes:
        device: the simulated board.
        files: what lies in its file system.
        clients: who uses it.
        programming: held while it is programmed: nothing else may touch it then.
    """

    device: ProgrammableDevice
    files: BoardFiles
    clients: Clients
    programming: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Let `server` offer the services."""
        remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(_FileService(self), server)
        mmio_pb2_grpc.add_MmioServicer_to_server(_Registers(self), server)
        buffer_pb2_grpc.add_RemoteBufferServicer_to_server(_Buffers(self), server)

    async def admit(self, context: Any) -> Client:
        """Return who calls; end the call where another client has the board."""
        try:
            return self.clients.admit(context.peer())
        except InUseError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise

    async def do(
        self, context: Any, work: Callable[[Client], Any], refuse: Callable[[str], Any]
    ) -> Any:
        """Return what `work` does for who calls, or what `refuse` makes of the reason why not."""
        client = await self.admit(context)
        async with self.programming:
            try:
                return work(client)
            except REFUSED as error:
                return refuse(_said(error))

    async def within(self, context: Any, transfer: Awaitable[Any]) -> Any:
        """Return what `transfer` does; end the call where its client is too slow for that."""
        try:
            return await asyncio.wait_for(transfer, CHUNK_DEADLINE_S)
        except asyncio.TimeoutError:
            await context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the client did not go on for {CHUNK_DEADLINE_S:g} s",
            )
            raise


class _FileService(remote_device_pb2_grpc.RemoteDeviceServicer):  # type: ignore[misc]
    def __init__(self, board: Served) -> None:
        self._board = board

    async def existsfile(self, request: Any, context: Any) -> Any:
        exists = self._board.files.exists(request.file_path) or (
            request.file_path == LEASE_FILE and self._board.clients.holder is not None
        )
        return remote_device_pb2.ExistsFileResponse(exists=exists)

    async def readfile(self, request: Any, context: Any) -> AsyncIterator[Any]:
        board, path = self._board, request.file_path
        try:
            content = board.files.read(path)
        except FileNotFoundError:
            holder = board.clients.holder
            if path != LEASE_FILE or holder is None:
                await context.abort(grpc.StatusCode.NOT_FOUND, f"{path[:80]}: no such file")
                raise
            content = encode_holder(Holder(holder.name, "", connected=True))
        for start in range(0, len(content), CHUNK):
            piece = remote_device_pb2.ReadFileResponse(data=content[start : start + CHUNK])
            await board.within(context, context.write(piece))
        return
        yield  # Makes it one of the functions that gRPC lets answer with a stream.

    async def writefile(self, requests: Any, context: Any) -> Any:
        upload: Upload | None = None
        try:
            while (request := await self._next(context)) is not grpc.aio.EOF:
                if upload is None:
                    client = await self._board.admit(context)
                    upload = Upload(self._board.files, request.file_path)
                upload.add(request.data)
            if upload is None:
                raise ValueError("no file path was sent")
            await self._write(upload.path, upload.end(), client)
        except REFUSED as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, _said(error))
        finally:
            if upload is not None:
                upload.end()
        return remote_device_pb2.WriteFileResponse()

    async def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        await self._board.admit(context)
        return remote_device_pb2.SetBitstreamAttrsResponse(status=not request.partial)

    async def _next(self, context: Any) -> Any:
        return await self._board.within(context, context.read())

    async def _write(self, path: str, content: bytes, client: Client) -> None:
        if path == LEASE_FILE and (holder := read_holder(content)) is not None:
            client.name = holder.name
        files = self._board.files
        if not files.programs(path):
            # Not held up by programming: a lease is renewed meanwhile.
            files.write(path, content)
            return
        async with self._board.programming:
            # Another overlay may have to be compiled: others are answered meanwhile.
            await asyncio.get_running_loop().run_in_executor(None, files.write, path, content)


class _Registers(mmio_pb2_grpc.MmioServicer):  # type: ignore[misc]
    """Registers; time passes between accesses, as on a board, which does not wait for its host."""

    def __init__(self, board: Served) -> None:
        self._board = board
        self._last = time.monotonic()

    async def get_mmio(self, request: Any, context: Any) -> Any:
        def work(client: Client) -> Any:
            place = request.base_addr, request.length
            self._board.device.mmap(*place)
            if place not in client.windows:
                if len(client.windows) >= MOST_WINDOWS:
                    raise ValueError(f"more than {MOST_WINDOWS} ranges of registers")
                client.windows.append(place)
            number = str(client.windows.index(place))
            return mmio_pb2.GetMmioResponse(status=True, mmio_id=number)

        return await self._board.do(
            context, work, lambda said: mmio_pb2.GetMmioResponse(status=False, msg=said)
        )

    async def read(self, request: Any, context: Any) -> Any:
        def work(client: Client) -> Any:
            if request.length not in (1, 2, 4):
                raise ValueError(f"{request.length} bytes: a register has 4")
            value = self._window(client, request)[request.offset // 4]
            mask = (1 << 8 * request.length) - 1
            data = np.array(value & mask, np.uint32).astype(_REGISTER)
            return mmio_pb2.ReadResponse(status=True, data=int(data))

        return await self._board.do(
            context, work, lambda said: mmio_pb2.ReadResponse(status=False, msg=said)
        )

    async def write(self, request: Any, context: Any) -> Any:
        def work(client: Client) -> Any:
            window, first = self._window(client, request), request.offset // 4
            size = len(request.data)
            if not 0 < size <= 4 * (len(window) - first) or size % 4:
                raise ValueError(f"{size} bytes do not fit into these registers")
            for place, word in enumerate(np.frombuffer(request.data, "<u4")):
                window[first + place] = int(word)
            return mmio_pb2.WriteResponse(status=True)

        return await self._board.do(
            context, work, lambda said: mmio_pb2.WriteResponse(status=False, msg=said)
        )

    def _window(self, client: Client, request: Any) -> Any:
        number, offset = int(request.mmio_id), request.offset
        if not 0 <= number < len(client.windows):
            raise LookupError(f"there are no registers {request.mmio_id[:20]}: ask for them first")
        device = self._board.device
        # Made anew: what was programmed since has other registers behind it.
        window = device.mmap(*client.windows[number])
        if not 0 <= offset < 4 * len(window) or offset % 4:
            raise ValueError(f"no register at offset {offset}")
        now = time.monotonic()
        device.model.run(min(CYCLES_BETWEEN, int((now - self._last) * device.clock_hz)))
        self._last = time.monotonic()
        return window


class _Buffers(buffer_pb2_grpc.RemoteBufferServicer):  # type: ignore[misc]
    def __init__(self, board: Served) -> None:
        self._board = board
        self._made = 0

    async def allocate(self, request: Any, context: Any) -> Any:
        def work(client: Client) -> Any:
            if request.size <= 0 or len(client.buffers) >= MOST_BUFFERS:
                raise ValueError(
                    f"no buffer of {request.size} bytes: a buffer has 1 at least, and a client "
                    f"{MOST_BUFFERS} buffers at most"
                )
            self._made += 1
            number = str(self._made)
            client.buffers[number] = self._board.device.allocate((request.size,), np.uint8)
            return buffer_pb2.AllocateResponse(buffer_id=number)

        response = await self._board.do(
            context, work, lambda said: buffer_pb2.AllocateResponse(msg=said)
        )
        if response.msg:
            # pynq's client does not read the message.
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, response.msg)
        return response

    async def write(self, requests: Any, context: Any) -> Any:
        start = 0
        while (request := await self._board.within(context, context.read())) is not grpc.aio.EOF:
            first, start = start, start + len(request.data)
            response = await self._board.do(
                context,
                functools.partial(_fill, request, first),
                lambda said: buffer_pb2.BufferWriteResponse(msg=said),
            )
            if response.msg:
                return response
        return buffer_pb2.BufferWriteResponse()

    async def read(self, request: Any, context: Any) -> AsyncIterator[Any]:
        response = await self._board.do(
            context,
            lambda client: np.asarray(_buffer(client, request)).tobytes(),
            lambda said: buffer_pb2.BufferReadResponse(msg=said),
        )
        if not isinstance(response, bytes):
            await context.write(response)
            return
        for start in range(0, len(response), CHUNK):
            piece = buffer_pb2.BufferReadResponse(data=response[start : start + CHUNK])
            await self._board.within(context, context.write(piece))
        return
        yield  # As above.

    async def freebuffer(self, request: Any, context: Any) -> Any:
        def work(client: Client) -> Any:
            _buffer(client, request).freebuffer()
            del client.buffers[request.buffer_id]
            return buffer_pb2.FreeBufferResponse()

        return await self._board.do(
            context, work, lambda said: buffer_pb2.FreeBufferResponse(msg=said)
        )

    async def flush(self, request: Any, context: Any) -> Any:
        return await self._sync(request, context, "flush", buffer_pb2.FlushResponse)

    async def invalidate(self, request: Any, context: Any) -> Any:
        return await self._sync(request, context, "invalidate", buffer_pb2.InvalidateResponse)

    async def physical_address(self, request: Any, context: Any) -> Any:
        return await self._address(request, context, "device_address")

    async def virtual_address(self, request: Any, context: Any) -> Any:
        return await self._address(request, context, "virtual_address")

    async def cacheable(self, request: Any, context: Any) -> Any:
        return buffer_pb2.CacheableResponse(cacheable=True)

    async def _sync(self, request: Any, context: Any, what: str, response: Any) -> Any:
        def work(client: Client) -> Any:
            getattr(_buffer(client, request), what)()
            return response()

        return await self._board.do(context, work, lambda said: response(msg=said))

    async def _address(self, request: Any, context: Any, which: str) -> Any:
        return await self._board.do(
            context,
            lambda client: buffer_pb2.AddressResponse(
                address=int(getattr(_buffer(client, request), which))
            ),
            lambda said: buffer_pb2.AddressResponse(msg=said),
        )


def _fill(request: Any, first: int, client: Client) -> Any:
    """Write the bytes of `request` into its buffer, from the byte `first` on."""
    buffer = _buffer(client, request)
    last = first + len(request.data)
    if last > buffer.nbytes:
        raise ValueError("more bytes than the buffer has")
    buffer[first:last] = np.frombuffer(request.data, np.uint8)
    return buffer_pb2.BufferWriteResponse()


def _buffer(client: Client, request: Any) -> Any:
    """Return the buffer that `request` names.

    Raises:
        LookupError: this client has no such buffer.
    """
    if request.buffer_id not in client.buffers:
        raise LookupError(
            f"there is no buffer {request.buffer_id[:20]}: it was freed, its client's connection "
            "was lost, or the server was started anew"
        )
    return client.buffers[request.buffer_id]


def _said(error: BaseException) -> str:
    return str(error.args[0] if isinstance(error, LookupError) and error.args else error)


def swapped(content: bytes) -> bytes:
    """Return what a .bit file held before it became a .bin file: words the other way round."""
    whole = content[: len(content) // 4 * 4]
    return np.frombuffer(whole, "i4").byteswap().tobytes()
