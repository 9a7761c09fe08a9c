"""A simulated board over SSH: what `specbp board deploy`, `doctor` and `pynq://` need of a board.

Whoever logs in runs commands as the user who serves it. That is why it listens on loopback alone,
and why its password is made anew at every start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from specbp.errors import UsageError
from specbp.simulation.account import Account

USER = "xilinx"
HOST = "127.0.0.1"
CHUNK = 1 << 16


class SshServer:
    """Serves an account of a simulated board from `start` to `close`.

    Args:
        folder: folder of the account, the host key, and the file of known hosts for clients.
        account: account whose commands run.
        port: 0 for any that is free.
        password: password of the account.
        sftp: whether it takes files.

    Attributes:
        port: where it listens.
        account: account whose commands run.
        password: password of the account.
        known_hosts: a file with the server's key, once it has started.
        connections: those that are open.
        commands: all command lines that it was given.
        accepted: public key that lets in, beside the password.
    """

    def __init__(
        self,
        folder: Path,
        account: Account,
        port: int,
        password: str | None = None,
        sftp: bool = True,
    ) -> None:
        self.port, self.account = port, account
        self.password = password or secrets.token_urlsafe(9)
        self.known_hosts = folder / "known_hosts"
        self.accepted: Any = None
        self.connections: list[Any] = []
        self.commands: list[str] = []
        self._processes: list[Any] = []
        self._sftp = sftp
        self._key_file = folder / "host_key"

    @property
    def address(self) -> str:
        """What clients write."""
        return f"{USER}@{HOST}:{self.port}"

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            UsageError: the port is in use.
        """
        key = self._host_key()
        try:
            self._server = await asyncssh.listen(
                HOST,
                self.port,
                server_host_keys=[key],
                server_factory=lambda: _Login(self),
                process_factory=self._process,
                sftp_factory=self.files() if self._sftp else None,
                encoding=None,
            )
        except OSError as error:
            raise UsageError(
                f"{HOST}:{self.port} is in use ({error.strerror}): choose another --port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        public = key.export_public_key().decode().split()
        self.known_hosts.write_text(f"[{HOST}]:{self.port} {public[0]} {public[1]}\n")

    async def close(self) -> None:
        """End, whatever clients are doing."""
        self._server.close()
        self.cut()
        for child in self._processes:
            if child.returncode is None:
                _kill(child)
                await child.wait()

    def cut(self) -> None:
        """Cut all connections, as a pulled cable does."""
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.abort()

    def files(self) -> Any:
        """Return asyncssh's class of what serves files."""
        return asyncssh.SFTPServer

    def _host_key(self) -> Any:
        if self._key_file.exists():
            return asyncssh.read_private_key(self._key_file)
        key = asyncssh.generate_private_key("ssh-ed25519")
        self._key_file.touch(0o600)
        key.write_private_key(self._key_file)
        return key

    async def _process(self, process: Any) -> None:
        """Run a command of a client; it ends with its connection."""
        self.commands.append(process.command)
        command: Sequence[str] = ("bash", "-c", process.command) if process.command else ("bash",)
        child = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.account.home,
            env=dict(self.account.environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._processes = [one for one in self._processes if one.returncode is None] + [child]
        given = asyncio.ensure_future(_feed(process, child))
        done = asyncio.gather(
            _copy(child.stdout, process.stdout), _copy(child.stderr, process.stderr)
        )
        closed = asyncio.ensure_future(process.wait_closed())
        await asyncio.wait([done, closed], return_when=asyncio.FIRST_COMPLETED)
        given.cancel()
        if closed.done():
            _kill(child)
        else:
            process.exit(await child.wait())


class _Login(asyncssh.SSHServer):
    """Lets in one user, by password or by the key that the board accepts."""

    def __init__(self, board: SshServer) -> None:
        self._board = board

    def connection_made(self, conn: Any) -> None:
        self._board.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return self._board.accepted is not None

    def validate_public_key(self, username: str, key: Any) -> bool:
        return (username, key) == (USER, self._board.accepted)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        right = secrets.compare_digest(password.encode(), self._board.password.encode())
        return username == USER and right


def serve(server: SshServer, started: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        server: what to serve.
        started: called when it listens.

    Raises:
        UsageError: the port is in use.
    """

    async def serving() -> None:
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await server.start()
        started()
        await ended.wait()
        await server.close()

    asyncio.run(serving())


async def _feed(process: Any, child: Any) -> None:
    with contextlib.suppress(asyncssh.Error, OSError):
        while data := await process.stdin.read(CHUNK):
            child.stdin.write(data)
            await child.stdin.drain()
        child.stdin.close()


async def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(asyncssh.Error, OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()


def _kill(child: Any) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
