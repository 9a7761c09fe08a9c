"""Who is connected to the simulated board, who has it, and what is theirs while they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import psutil

from specbp.errors import SpecbpError

MOST_BUFFERS = 4096
MOST_WINDOWS = 4096

Endpoint = tuple[str, int]
"""IP address and port of a client."""


class InUseError(SpecbpError):
    """Another client has the board."""


@dataclass
class Client:
    """A client and what ends with it.

    Attributes:
        peer: the client's end of the connection, as gRPC names it.
        name: what others are told who has the board.
        buffers: memory by the number that the client knows it by.
        windows: ranges of registers as (base address, bytes); their numbers are their positions.
    """

    peer: str
    name: str
    buffers: dict[str, Any] = field(default_factory=dict)
    windows: list[tuple[int, int]] = field(default_factory=list)


class Clients:
    """Gives the board to the first client that changes anything, until its connection ends.

    Args:
        connected: returns the clients that have a connection now.
        ended: called when the client that had the board is gone.
    """

    def __init__(self, connected: Callable[[], set[Endpoint]], ended: Callable[[], None]) -> None:
        self._connected, self._ended = connected, ended
        self.holder: Client | None = None

    def admit(self, peer: str) -> Client:
        """Return the client at `peer`, which has the board from now on.

        Raises:
            InUseError: another one has it.
        """
        if self.holder is not None and self.holder.peer != peer:
            self.end_those_gone()
        if self.holder is None:
            self.holder = Client(peer, f"a client at {unquote(peer).partition(':')[2]}")
        if self.holder.peer != peer:
            raise InUseError(f"this board is in use by {self.holder.name}")
        return self.holder

    def end_those_gone(self) -> None:
        """Free what belongs to a client whose connection has ended."""
        client = self.holder
        if client is None or endpoint(client.peer) in self._connected():
            return
        for buffer in client.buffers.values():
            buffer.freebuffer()
        client.buffers.clear()
        self.holder = None
        self._ended()


def connections_to(port: int) -> set[Endpoint]:
    """Return the clients with an open connection to `port` of this process."""
    return {
        (_address(one.raddr.ip), one.raddr.port)
        for one in psutil.Process().net_connections("tcp")
        if one.laddr.port == port and one.raddr and one.status == psutil.CONN_ESTABLISHED
    }


def endpoint(peer: str) -> Endpoint | None:
    """Return the address and port in gRPC's name of a peer, None where it has another form."""
    host, _, port = unquote(peer).partition(":")[2].rpartition(":")
    try:
        return _address(host.strip("[]")), int(port)
    except ValueError:
        return None


def _address(text: str) -> str:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
