"""A connection to a board: every step has a deadline, every failure a cause and a cure.

Whatever a board says is limited in size, and cleaned before anyone sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

import asyncssh

from specbp.deploy.address import Address, Credentials
from specbp.deploy.failure import BoardError, ConnectionLostError
from specbp.deploy.login import Secrets, log_in

Result = TypeVar("Result")


CUT = (asyncssh.DisconnectError, asyncssh.ChannelOpenError, OSError, EOFError)
"""What is raised where a connection has ended."""
MOST_OUTPUT = 1 << 20
"""Bytes that a small command may say."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class Deadlines:
    """How long each step may take, s.

    Attributes:
        connect: until the account is open.
        command: a command that ends soon.
        block: until the next part of an upload has arrived.
        start: until the runner answers; it imports pynq, which takes 10 s on a board.
        load: until the overlay is programmed.
        selftest: until all steps of the self-test are done.
        margin: from the board's own deadline of a run until its answer is here.
        keepalive: until a connection on which nothing arrives counts as lost.
    """

    connect: float = 20.0
    command: float = 30.0
    block: float = 30.0
    start: float = 60.0
    load: float = 60.0
    selftest: float = 300.0
    margin: float = 15.0
    keepalive: float = 30.0


class CommandOutput(NamedTuple):
    """What a command on a board said.

    Attributes:
        status: exit status; None where the command was killed.
        stdout: what it wrote there.
        stderr: what the command wrote to standard error.
    """

    status: int | None
    stdout: bytes
    stderr: bytes


class Connection:
    """An open account on a board.

    Attributes:
        address: address of the board.
        access: how to be let in.
        deadlines: how long steps may take.
        ssh: asyncssh's own connection.
        secrets: the passwords that were given to the board.
    """

    def __init__(
        self,
        address: Address,
        access: Credentials,
        deadlines: Deadlines,
        ssh: Any,
        secrets: Secrets,
    ) -> None:
        self.address, self.access, self.deadlines = address, access, deadlines
        self.ssh, self.secrets = ssh, secrets

    def error(self, text: str) -> BoardError:
        """Return the error `text` of this board, cleaned of what the board may have put in."""
        return BoardError(f"{self.address}: {self.secrets.cleaned(text)}")

    def lost(self, step: str, error: BaseException) -> ConnectionLostError:
        """Return the error for a connection that ended."""
        cause = self.secrets.cleaned(error) or type(error).__name__
        return ConnectionLostError(
            f"{self.address}: the connection was lost while {step} ({cause}): run the command "
            "again to go on"
        )

    async def within(self, seconds: float, step: str, doing: Awaitable[Result]) -> Result:
        """Wait for `doing`, at most `seconds`.

        Raises:
            BoardError: it took longer.
            ConnectionLostError: the connection ended.
        """
        try:
            return await asyncio.wait_for(doing, seconds)
        except asyncio.TimeoutError:
            raise BoardError(
                f"{self.address}: no answer within {seconds:g} s while {step}: "
                "the board hangs or the network is down: restart it and run the command again"
            ) from None
        except CUT as error:
            raise self.lost(step, error) from error
        except asyncssh.SFTPError:
            raise
        except asyncssh.Error as error:
            raise self.error(f"{step} failed: {error}") from error

    async def run(self, command: str, step: str, check: bool = True) -> str:
        """Run a small command and return its output.

        Raises:
            BoardError: it failed, where `check` asks for that.
        """
        done = await self.output(command, step, self.deadlines.command)
        if check and done.status != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise self.error(f"{step} failed: {said[-1] if said else 'no message'}")
        return done.stdout.decode(errors="replace")

    async def output(self, command: str, step: str, seconds: float) -> CommandOutput:
        """Run a command and return what it says, at most `MOST_OUTPUT` bytes.

        Raises:
            BoardError: it said more, or took longer than `seconds`.
        """
        return await self.within(seconds, step, self._output(command, step))

    async def path(self, command: str, step: str) -> str:
        """Return the absolute path that a command on the board prints.

        Raises:
            BoardError: it prints something else.
        """
        found = (await self.run(command, step)).strip()
        whole = found.isprintable() and len(found) < 4096
        if not whole or not PurePosixPath(found).is_absolute():
            raise self.error(f'{step}: "{found[:100]}" is no path: is this a PYNQ board?')
        return found

    async def home(self) -> str:
        """Return the account's home folder."""
        return await self.path("pwd", "looking for the home folder")

    @asynccontextmanager
    async def sftp(self) -> AsyncIterator[Any]:
        """Open SFTP.

        Raises:
            BoardError: the board has none.
        """
        step = "opening SFTP"
        try:
            opened = await self.within(self.deadlines.command, step, self._start_sftp())
        except asyncssh.SFTPError as error:
            raise self._without_sftp(error) from error
        try:
            yield opened
        finally:
            opened.exit()

    async def _start_sftp(self) -> Any:
        try:
            return await self.ssh.start_sftp_client()
        except asyncssh.ChannelOpenError as error:
            if self.ssh.is_closed():
                raise
            raise self._without_sftp(error) from error

    def _without_sftp(self, error: BaseException) -> BoardError:
        return self.error(
            f'its SSH server has no SFTP ({error}): add the line "Subsystem sftp internal-sftp" '
            "to /etc/ssh/sshd_config there and restart it"
        )

    async def _output(self, command: str, step: str) -> CommandOutput:
        process = await self.ssh.create_process(command, encoding=None)
        try:
            process.stdin.write_eof()
            parts = [self._all_of(stream, step) for stream in (process.stdout, process.stderr)]
            stdout, stderr = await _together(parts)
            await process.wait_closed()
            return CommandOutput(process.exit_status, stdout, stderr)
        finally:
            process.close()

    async def _all_of(self, stream: Any, step: str) -> bytes:
        said = b""
        while part := await stream.read(CHUNK):
            said += part
            if len(said) > MOST_OUTPUT:
                raise self.error(
                    f"{step}: it says more than {MOST_OUTPUT} bytes: is this a PYNQ board?"
                )
        return said


async def _together(parts: list[Coroutine[Any, Any, bytes]]) -> list[bytes]:
    """Return what all of `parts` give; where one fails the others end."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def connect(
    address: Address, access: Credentials, deadlines: Deadlines | None = None
) -> AsyncIterator[Connection]:
    """Open the account at `address`.

    Raises:
        BoardError: the board cannot be reached, is not the one that is known, or does not let in.
    """
    deadlines, secrets = deadlines or Deadlines(), Secrets()
    ssh = await log_in(address, access, secrets, deadlines.connect, deadlines.keepalive)
    try:
        yield Connection(address, access, deadlines, ssh, secrets)
    finally:
        ssh.abort()
