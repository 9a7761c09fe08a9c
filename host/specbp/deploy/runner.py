"""The host's end of the on-board runner."""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
from numpy.typing import NDArray

from specbp.deploy.archive import NAME
from specbp.deploy.connection import BoardError, Connection, lost
from specbp.onboard import messages
from specbp.onboard.runner import PROTOCOL

ROOT = "specbp"
"""Folder on the board, in the account's home."""
PROFILE = (
    'for f in /etc/profile.d/*.sh; do [ -r "$f" ] && . "$f" >/dev/null 2>&1; done; '
    'exec python3 "$@"'
)
_WRONG_PASSWORD = ("try again", "incorrect password")


class RunnerClient:
    """A runner on a board; one request at a time."""

    def __init__(self, connection: Connection, process: Any) -> None:
        self._connection, self._process = connection, process
        self._said: deque[str] = deque(maxlen=20)
        self._refused = False
        self._listener = asyncio.ensure_future(self._listen())
        self.hello: dict[str, Any] = {}

    async def begin(self, deadline: float) -> None:
        """Wait until the runner has the board.

        Raises:
            BoardError: it does not start, or the board is in use.
        """
        answer = await self._answer(deadline, "starting the runner")
        self.hello = answer.header
        if answer.header.get("hello") != PROTOCOL:
            raise BoardError(
                f"{self._connection.address}: its runner speaks another protocol: deploy again"
            )

    async def ask(
        self,
        deadline: float,
        step: str,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> messages.Message:
        """Send a request and return its answer.

        Args:
            deadline: s.
            step: what this is for, in messages.
            header: of the request.
            arrays: of the request.

        Raises:
            BoardError: the board answered with an error, or not in time.
            ConnectionLostError: the connection ended.
        """
        try:
            self._process.stdin.write(messages.encode(header, arrays))
        except (OSError, asyncssh.Error) as error:
            raise lost(self._connection.address, step, error) from error
        return await self._answer(deadline, step)

    async def close(self) -> None:
        """End the runner, which gives the board back."""
        self._listener.cancel()
        self._process.close()

    async def _answer(self, deadline: float, step: str) -> messages.Message:
        answer = await self._connection.within(deadline, step, self._read(step))
        if not answer.header.pop("ok"):
            kind, error = answer.header["kind"], answer.header["error"]
            raise BoardError(f"{self._connection.address}: {step}: {error} [{kind}]")
        return answer

    async def _read(self, step: str) -> messages.Message:
        stdout = self._process.stdout
        try:
            header, body = messages.lengths(await stdout.readexactly(messages.PREFIX.size))
            return messages.decode(await stdout.readexactly(header), await stdout.readexactly(body))
        except (asyncio.IncompleteReadError, messages.MessageError) as error:
            if self._connection.ssh.is_closed():
                raise lost(self._connection.address, step, error) from error
            raise await self._ended(step) from error

    async def _ended(self, step: str) -> BoardError:
        """Say why the runner ended; sudo and Python say so on standard error."""
        address = self._connection.address
        await asyncio.wait([self._listener], timeout=1.0)
        if self._refused:
            return BoardError(
                f"{address}: sudo did not take the password: it is the one of {address.user} there"
            )
        said = f": {self._said[-1]}" if self._said else ""
        return BoardError(f"{address}: the runner ended while {step}{said}")

    async def _listen(self) -> None:
        async for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if any(words in text for words in _WRONG_PASSWORD) and not self.hello:
                # sudo would take whatever comes next for another attempt.
                self._refused = True
                self._process.stdin.write_eof()
            if text:
                self._said.append(text)


@asynccontextmanager
async def start_runner(
    connection: Connection, version: str | None = None, wait_s: float = 0.0
) -> AsyncIterator[RunnerClient]:
    """Start the runner of `version`, of the current one if None, and wait until it has the board.

    Raises:
        BoardError: nothing is deployed, sudo refuses, or the board is in use for longer than
            `wait_s`.
    """
    home = (await connection.run("pwd", "looking for the home folder")).strip()
    root = f"{home}/{ROOT}"
    folder = f"{root}/versions/{version}" if version else f"{root}/current"
    found = await connection.run(f"test -f {shlex.quote(folder)}/{NAME} && echo yes || true", "")
    if not found.strip():
        raise BoardError(
            f"{connection.address}: nothing is deployed there: "
            f"specbp board deploy {connection.address}"
        )
    who = f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
    arguments = [f"{folder}/{NAME}", "--root", root, "--who", who, "--wait", f"{wait_s:g}"]
    if version:
        arguments += ["--version", version]
    sudo, password = await connection.sudo()
    command = f"{sudo}bash -c {shlex.quote(PROFILE)} runner {shlex.join(arguments)}"
    process = await connection.within(
        connection.deadlines.command,
        "starting the runner",
        connection.ssh.create_process(command, encoding=None, env={"LC_ALL": "C"}),
    )
    client = RunnerClient(connection, process)
    try:
        if password is not None:
            process.stdin.write(password.encode() + b"\n")
        await client.begin(connection.deadlines.start + wait_s)
        yield client
    finally:
        await client.close()
