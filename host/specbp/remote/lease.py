"""One client at a time on a PYNQ.remote board, whose protocol knows no owner.

The client that has the board says so in a file on the board, through the protocol's own calls, and
renews that every few seconds. When a client is gone, the next one sees that nobody renews it.
That needs no clock in common and nothing on the board. Two that come at the same moment are told
apart as by Fischer's mutual exclusion: each writes, waits longer than a write takes, and has the
board if it is its own word that it reads then.

`specbp board serve` knows more: it frees the board as soon as the connection of its client ends,
and refuses what anybody else sends meanwhile.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from specbp.errors import SpecbpError
from specbp.onboard.untrusted import printable

LEASE_FILE = "/tmp/specbp-lease.json"
FREE = b'{"free": true}'
"""What the file holds when nobody has the board: the protocol cannot delete."""
LONGEST_NAME = 120


class BoardInUseError(SpecbpError):
    """Another client has the board."""


class LeaseLostError(SpecbpError):
    """The board is not this client's any more."""


class RemoteFiles(Protocol):
    """The calls of `pynq.pl_server.remote_device.RemoteDevice` that are used."""

    def exists_file(self, file_path: str) -> Any:
        """Return an answer with ``exists``."""
        ...

    def read_file(self, file_path: str) -> bytes:
        """Return a file's content."""
        ...

    def write_file(self, file_path: str, content: bytes) -> Any:
        """Replace a file."""
        ...


@dataclass(frozen=True)
class Holder:
    """What the file says of the client that has the board.

    Attributes:
        name: name of the holder, for people.
        token: token of that client alone.
        beat: number of times that it was renewed.
        connected: the board itself knows whether that client is there; nothing is renewed.
    """

    name: str
    token: str
    beat: int = 0
    connected: bool = False


@dataclass(frozen=True)
class Times:
    """How long the parts of a lease take.

    Attributes:
        renew_s: between two renewals.
        settle_s: from writing to reading back; longer than a write takes.
        stale_s: without a renewal after which a client counts as gone.
    """

    renew_s: float = 5.0
    settle_s: float = 1.0
    stale_s: float = 20.0


def encode_holder(holder: Holder) -> bytes:
    """Return the content of the file."""
    return json.dumps(vars(holder)).encode()


def read_holder(content: bytes) -> Holder | None:
    """Return whom the file names; None where it names nobody, or is being written.

    What it says comes from the board and is not to be trusted: the name is cut to one short line of
    printable characters.
    """
    try:
        said = json.loads(content)
        name, token = str(said["name"]), str(said["token"])
        beat, connected = int(said["beat"]), bool(said["connected"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    shown = printable(name, LONGEST_NAME)[:LONGEST_NAME]  # longer where letters are spelled out
    return Holder(shown or "somebody", token, beat, connected)


def own_name() -> str:
    """Return how this process is named to others."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


class Lease:
    """The board, held from `take` to `release`.

    Args:
        files: the calls to the board.
        times: how long the parts take.
        lost: called, from another thread, when the board is not this client's any more.
        name: name of this client.

    Attributes:
        lost_because: why it was lost; None while it is held.
    """

    def __init__(
        self,
        files: RemoteFiles,
        times: Times | None = None,
        lost: Callable[[], None] = lambda: None,
        name: str | None = None,
    ) -> None:
        self.lost_because: str | None = None
        self._files, self._times, self._lost = files, times or Times(), lost
        self._own = Holder(name or own_name(), secrets.token_hex(8))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renewing, daemon=True, name="lease")

    def take(self) -> None:
        """Take the board.

        Raises:
            BoardInUseError: another client has it.
        """
        self._refuse_if_in_use()
        self._write(self._own)
        time.sleep(self._times.settle_s)
        holder = self._holder()
        if holder is None or holder.token != self._own.token:
            raise _in_use(holder)
        self._thread.start()

    def check(self) -> None:
        """Refuse to go on without the board.

        Raises:
            LeaseLostError: it is not this client's any more.
        """
        if self.lost_because is not None:
            raise LeaseLostError(self.lost_because)

    def release(self) -> None:
        """Give the board to others, where it is still this client's."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(self._times.renew_s)
        holder = self._holder() if self.lost_because is None else None
        if holder is not None and holder.token == self._own.token:
            self._files.write_file(LEASE_FILE, FREE)

    def _refuse_if_in_use(self) -> None:
        """Return once nobody has the board, or who has it is gone."""
        holder = first = self._holder()
        seen = time.monotonic()
        while holder is not None and time.monotonic() - seen <= self._times.stale_s:
            if holder.connected or holder != first:
                raise _in_use(holder)
            time.sleep(min(self._times.settle_s, self._times.renew_s / 2))
            holder = self._holder()

    def _renewing(self) -> None:
        renewed = time.monotonic()
        while self.lost_because is None and not self._ended.wait(self._times.renew_s):
            failure = self._renew()
            if failure is None:
                renewed = time.monotonic()
            elif time.monotonic() - renewed > self._times.stale_s and not self._ended.is_set():
                seconds = f"{self._times.stale_s:g} s"
                self._lose(f"it has not answered for {seconds} ({printable(str(failure))})")

    def _renew(self) -> Exception | None:
        """Renew the lease, or notice that it is lost; return why neither could be done."""
        try:
            holder = self._holder()
            if holder is None or holder.token != self._own.token:
                self._lose(f"{_named(holder)} has taken it")
            else:
                self._own = replace(self._own, beat=self._own.beat + 1)
                self._write(self._own)
        except Exception as error:
            return error
        return None

    def _lose(self, why: str) -> None:
        self.lost_because = f"the board is not held by this process any more: {why}"
        self._lost()

    def _write(self, holder: Holder) -> None:
        self._files.write_file(LEASE_FILE, encode_holder(holder))

    def _holder(self) -> Holder | None:
        if not self._files.exists_file(LEASE_FILE).exists:
            return None
        for _ in range(3):
            content = self._files.read_file(LEASE_FILE)
            if content:
                return read_holder(content)
            # Its writer has just emptied it.
            time.sleep(min(0.1, self._times.settle_s))
        return None


def _in_use(holder: Holder | None) -> BoardInUseError:
    return BoardInUseError(
        f"this board is in use by {_named(holder)}: wait until that has ended, or use another board"
    )


def _named(holder: Holder | None) -> str:
    return holder.name if holder is not None else "somebody who does not say who"
