"""The simulated overlay as a PYNQ.remote board: pynq's own client drives it, unmodified.

The messages are pynq's own. The protocol has no authentication: who reaches the port, has the
board, one client at a time. What a client has ends with its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from specbp.boards.board import SIMULATED
from specbp.deploy.address import REMOTE_PORT
from specbp.errors import UsageError
from specbp.overlay.parameters import Parameters
from specbp.remote.clients import Clients, connections_to
from specbp.remote.files import BoardFiles
from specbp.remote.lease import LEASE_FILE
from specbp.remote.services import Served, swapped
from specbp.simulation.programmable import ProgrammableDevice

LOOK_S = 0.5
"""Between two looks for clients that are gone."""
MOST_CALLS = 256
"""At the same time; more are refused."""
GRACE_S = 0.5
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    # A client whose machine is gone is noticed, and one that asks as often is welcome.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


class Server:
    """Serves from `start` to `close`.

    Args:
        host: name or address to listen on.
        port: 0 for any that is free.
        parameters: parameters of the overlay that is there before anything is programmed.
        memory_bytes: memory of the board, bytes.
        anywhere: allow an address that others can reach.
        board: name of the simulated board: ``simulated``, ``simulated-aup-zu3``.

    Attributes:
        port: where it listens.

    Raises:
        UsageError: the address is not loopback, and that was not asked for.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = REMOTE_PORT,
        parameters: Parameters | None = None,
        memory_bytes: int = 64 << 20,
        anywhere: bool = False,
        board: str = SIMULATED,
    ) -> None:
        if not (anywhere or is_loopback(host)):
            raise UsageError(
                f"{host} can be reached from other machines, and PYNQ.remote has no "
                "authentication: whoever reaches it has the board. Use 127.0.0.1 with an SSH "
                "tunnel, or ask for it with --allow-anyone"
            )
        self.port = port
        self._host, self._parameters, self._memory_bytes = host, parameters, memory_bytes
        self._board = board

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            UsageError: the address is in use.
        """
        self._device = device = ProgrammableDevice(
            self._parameters, self._memory_bytes, name=self._board
        )
        files = BoardFiles(
            self._board, device.arch, lambda content: device.configure(swapped(content))
        )
        self._clients = Clients(lambda: connections_to(self.port), lambda: files.remove(LEASE_FILE))
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)
        Served(device, files, self._clients).add_to(self._server)
        where = f"[{self._host}]" if ":" in self._host else self._host
        asked, self.port = self.port, 0
        with contextlib.suppress(RuntimeError):
            self.port = self._server.add_insecure_port(f"{where}:{asked}")
        if not self.port:
            device.close()
            raise UsageError(f"{self._host}:{asked} is in use: choose another --port")
        await self._server.start()
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """End, whatever clients are doing."""
        self._looking.cancel()
        await self._server.stop(GRACE_S)
        self._device.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._clients.end_those_gone()


def serve(server: Server, started: Callable[[int], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        server: what to serve.
        started: called with the port when it listens.

    Raises:
        UsageError: the address is in use.
    """

    async def serving() -> None:
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await server.start()
        started(server.port)
        await ended.wait()
        await server.close()

    with _quiet_about_clients_gone():
        asyncio.run(serving())


@contextlib.contextmanager
def _quiet_about_clients_gone() -> Iterator[None]:
    """Keep gRPC from printing a traceback where a client left before it could be refused."""
    print_exception = traceback.print_exc

    def print_others(*arguments: Any, **named: Any) -> None:
        if type(sys.exc_info()[1]).__name__ != "ExecuteBatchError":
            print_exception(*arguments, **named)

    traceback.print_exc = print_others
    try:
        yield
    finally:
        traceback.print_exc = print_exception


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
