"""A connection to a board: every step has a deadline, every failure a cause and a cure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh

from specbp.deploy.address import LOGIN_VARIABLE, SUDO_VARIABLE, Access, Address
from specbp.errors import SpecbpError

Result = TypeVar("Result")


CUT = (asyncssh.DisconnectError, asyncssh.ChannelOpenError, OSError, EOFError)
"""What is raised where a connection has ended."""


class BoardError(SpecbpError):
    """Something went wrong with a board."""


class ConnectionLostError(BoardError):
    """The connection to the board ended."""


@dataclass(frozen=True)
class Deadlines:
    """How long each step may take, s.

    Attributes:
        connect: until the account is open.
        command: of a small command.
        block: for the next part of an upload to arrive.
        start: until the runner answers; it imports pynq, which takes 10 s on a board.
        load: to program the overlay.
        selftest: for all its steps.
        margin: beyond the board's own deadline of a run, until its answer is here.
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


class Connection:
    """An open account on a board.

    Attributes:
        address: whose it is.
        deadlines: how long steps may take.
        ssh: asyncssh's own connection.
    """

    def __init__(self, address: Address, access: Access, deadlines: Deadlines, ssh: Any) -> None:
        self.address, self.deadlines, self.ssh = address, deadlines, ssh
        self._access = access

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
            raise lost(self.address, step, error) from error

    async def run(self, command: str, step: str, check: bool = True) -> str:
        """Run a small command and return its output.

        Raises:
            BoardError: it failed, where `check` asks for that.
        """
        done = await self.within(self.deadlines.command, step, self.ssh.run(command, check=False))
        if check and done.exit_status != 0:
            said = str(done.stderr).strip().splitlines()
            raise BoardError(f"{self.address}: {step} failed: {said[-1] if said else 'no message'}")
        return str(done.stdout)

    async def sudo(self) -> tuple[str, str | None]:
        """Return what to put before a command that needs root, and the password to give it.

        The password goes to the command's standard input, never into the command.

        Raises:
            BoardError: a password is needed and there is none.
        """
        if (await self.run("id -u", "asking who we are")).strip() == "0":
            return "", None
        done = await self.within(
            self.deadlines.command, "asking for sudo", self.ssh.run("sudo -n true", check=False)
        )
        if done.exit_status == 0:
            return "sudo -n -- ", None
        password = self._access.sudo_password(self.address)
        if not password:
            raise BoardError(
                f"{self.address}: programming the FPGA needs root, and sudo asks for a password: "
                f"set {SUDO_VARIABLE}, or run this in a terminal to be asked"
            )
        return 'sudo -S -p "" -- ', password


@asynccontextmanager
async def connect(
    address: Address, access: Access, deadlines: Deadlines | None = None
) -> AsyncIterator[Connection]:
    """Open the account at `address`.

    Raises:
        BoardError: the board cannot be reached, is not the one that is known, or does not let in.
    """
    deadlines = deadlines or Deadlines()
    ssh = await _open(address, access, deadlines)
    try:
        yield Connection(address, access, deadlines, ssh)
    finally:
        ssh.abort()


def lost(address: Address, step: str, error: BaseException) -> ConnectionLostError:
    """Return the error for a connection that ended."""
    cause = str(error) or type(error).__name__
    return ConnectionLostError(
        f"{address}: the connection was lost while {step} ({cause}): run the command again to go on"
    )


class _Client(asyncssh.SSHClient):
    """Gives the password when the server asks for one, once."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address, self._access, self._given = address, access, False

    def password_auth_requested(self) -> str | None:
        """Return the password."""
        if self._given:
            return None
        self._given = True
        return self._access.login_password(self._address)


async def _open(address: Address, access: Access, deadlines: Deadlines) -> Any:
    given: dict[str, Any] = {}
    if access.known_hosts is not None:
        given["known_hosts"] = str(access.known_hosts)
    if access.keys:
        given["client_keys"] = [str(key) for key in access.keys]
        given["agent_path"] = None
    try:
        return await asyncio.wait_for(
            asyncssh.connect(
                address.host,
                address.port,
                username=address.user,
                client_factory=lambda: _Client(address, access),
                keepalive_interval=deadlines.keepalive / 3,
                keepalive_count_max=2,
                **given,
            ),
            deadlines.connect,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        port = "" if address.port == 22 else f" -p {address.port}"
        raise BoardError(
            f"{address}: its host key is not among the known ones, so this may be another machine: "
            f"look at the key (ssh-keyscan{port} {address.host} | ssh-keygen -lf -), compare it "
            "with the board's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its "
            f"console), then: ssh-keyscan{port} {address.host} >> "
            f"{access.known_hosts or '~/.ssh/known_hosts'}"
        ) from error
    except asyncssh.PermissionDenied as error:
        raise BoardError(
            f"{address}: not let in: install a key (ssh-copy-id), set {LOGIN_VARIABLE}, "
            "or run this in a terminal to be asked"
        ) from error
    except asyncio.TimeoutError:
        raise BoardError(
            f"{address}: no answer within {deadlines.connect:g} s: is it switched on and in this "
            "network? A PYNQ board has 192.168.2.99 on a direct cable"
        ) from None
    except (OSError, asyncssh.Error) as error:
        raise BoardError(f"{address}: cannot connect: {error}") from error
