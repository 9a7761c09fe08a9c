"""The host's end of the on-board runner."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import shlex
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
from numpy.typing import NDArray

from specbp.deploy.address import SUDO_VARIABLE
from specbp.deploy.archive import NAME
from specbp.deploy.connection import Connection
from specbp.deploy.failure import BoardError
from specbp.onboard import messages
from specbp.onboard.protocol import ANSWERS, FAILURE, HELLO, MOST_ANSWER, PROTOCOL
from specbp.onboard.untrusted import Record, UntrustedError

ROOT = "specbp"
"""Folder on the board, in the account's home."""
PROFILE = (
    'for f in /etc/profile.d/*.sh; do [ -r "$f" ] && . "$f" >/dev/null 2>&1; done; '
    'exec python3 "$@"'
)
MOST_LINE = 2000


class RunnerClient:
    """A runner on a board; one request at a time.

    Args:
        connection: connection to the board.
        process: the runner, which speaks through its standard input and output.
        prompt: what sudo writes to standard error when it wants a password.
    """

    def __init__(self, connection: Connection, process: Any, prompt: str = "") -> None:
        self._connection, self._process = connection, process
        self._sudo = _SudoPrompt(prompt)
        self._said: deque[str] = deque(maxlen=20)
        self._listener = asyncio.ensure_future(self._listen())
        self.hello: dict[str, Any] = {}

    async def begin(self, deadline: float) -> None:
        """Wait until the runner has the board, and give sudo its password if it asks for one.

        Raises:
            BoardError: it does not start, sudo does not let in, or the board is in use.
        """
        step = "starting the runner"
        answer = asyncio.ensure_future(self._answer(deadline, step, HELLO))
        asked = asyncio.ensure_future(self._sudo.asked.wait())
        try:
            await asyncio.wait({answer, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._give_password()
                answer.cancel()
                answer = asyncio.ensure_future(self._answer(deadline, step, HELLO))
                refused = asyncio.ensure_future(self._sudo.refused.wait())
                await asyncio.wait({answer, refused}, return_when=asyncio.FIRST_COMPLETED)
                refused.cancel()
                if self._sudo.refused.is_set():
                    raise self._wrong_password()
            self.hello = (await answer).header
        finally:
            answer.cancel()
            asked.cancel()
        if self.hello["hello"] != PROTOCOL:
            raise self._connection.error("its runner speaks another protocol: deploy again")

    async def ask(
        self,
        deadline: float,
        step: str,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        content: int | None = None,
    ) -> messages.Message:
        """Send a request and return its answer, which is what the protocol says.

        Args:
            deadline: seconds until the answer must be there.
            step: what this is for, in messages.
            header: header of the request.
            arrays: arrays of the request.
            content: number of bytes of the array ``content`` of the answer; None for no array.

        Raises:
            BoardError: the board answered with an error, with something else, or not in time.
            ConnectionLostError: the connection ended.
        """
        try:
            self._process.stdin.write(messages.encode(header, arrays))
        except (OSError, asyncssh.Error) as error:
            raise self._connection.lost(step, error) from error
        return await self._answer(deadline, step, ANSWERS[header["do"]], content)

    async def close(self) -> None:
        """End the runner, which gives the board back."""
        self._listener.cancel()
        self._process.close()

    async def _answer(
        self, deadline: float, step: str, schema: Record, content: int | None = None
    ) -> messages.Message:
        answer = await self._connection.within(deadline, step, self._read(step, content or 0))
        try:
            if answer.header.get("ok") is not True:
                failure = FAILURE.read(answer.header, "")
                raise self._connection.error(f"{step}: {failure['error']} [{failure['kind']}]")
            header = schema.read(answer.header, "")
            shapes = {name: (part.dtype.str, part.shape) for name, part in answer.arrays.items()}
            if shapes != ({} if content is None else {"content": ("|u1", (content,))}):
                raise UntrustedError("it comes with other arrays than were asked for")
        except UntrustedError as error:
            raise self._unfit(step, error) from error
        return messages.Message(header, answer.arrays)

    async def _read(self, step: str, most_body: int) -> messages.Message:
        stdout = self._process.stdout
        try:
            prefix = await stdout.readexactly(messages.PREFIX.size)
            header, body = messages.lengths(prefix, MOST_ANSWER, most_body)
            return messages.decode(await stdout.readexactly(header), await stdout.readexactly(body))
        except asyncio.IncompleteReadError as error:
            if self._connection.ssh.is_closed():
                raise self._connection.lost(step, EOFError("it was closed")) from error
            raise await self._ended(step) from error
        except messages.MessageError as error:
            raise self._unfit(step, error) from error

    def _unfit(self, step: str, error: Exception) -> BoardError:
        return self._connection.error(
            f"{step}: its answer is not one of specbp's runner: {error}: deploy again, and if this "
            "comes back, do not trust this board"
        )

    async def _ended(self, step: str) -> BoardError:
        """Say why the runner ended; sudo and Python say so on standard error."""
        await asyncio.wait([self._listener], timeout=1.0)
        if self._sudo.refused.is_set():
            return self._wrong_password()
        said = f": {self._said[-1]}" if self._said else ""
        return self._connection.error(f"the runner ended while {step}{said}")

    def _give_password(self) -> None:
        connection = self._connection
        password = connection.access.sudo_password(str(connection.address))
        if not password:
            raise connection.error(
                "programming the FPGA needs root, and sudo asks for a password: "
                f"set {SUDO_VARIABLE}, or run this in a terminal to be asked"
            )
        connection.secrets.given.add(password)
        self._process.stdin.write(password.encode() + b"\n")

    def _wrong_password(self) -> BoardError:
        return self._connection.error(
            "sudo did not take the password: it is the one of this account there: correct "
            f"{SUDO_VARIABLE}, or unset it and run this in a terminal to be asked"
        )

    async def _listen(self) -> None:
        rest = ""
        while part := await self._process.stderr.read(1 << 12):
            rest = self._sudo.heard(rest + part.decode(errors="replace"))
            *lines, rest = rest.split("\n")
            self._said.extend(line.strip()[:MOST_LINE] for line in lines if line.strip())
            rest = rest[-MOST_LINE:]
        if rest.strip():
            self._said.append(rest.strip())


class _SudoPrompt:
    """Notices that sudo asks for a password, by a prompt that nobody else knows.

    Nothing is sent before that: where sudo needs no password, the runner would read it.

    Attributes:
        asked: sudo has asked.
        refused: it has asked again.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self.asked, self.refused = asyncio.Event(), asyncio.Event()

    def heard(self, text: str) -> str:
        """Return what was said on standard error without the prompts in it."""
        if not self._prompt:
            return text
        for _ in range(text.count(self._prompt)):
            (self.refused if self.asked.is_set() else self.asked).set()
        return text.replace(self._prompt, "")


def this_process() -> str:
    """Return whom others are told to wait for while this process has a board."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


@asynccontextmanager
async def start_runner(
    connection: Connection, version: str | None = None, wait_s: float = 0.0
) -> AsyncIterator[RunnerClient]:
    """Start the runner of `version`, of the current one if None, and wait until it has the board.

    Raises:
        BoardError: nothing is deployed, sudo refuses, or the board is in use for longer than
            `wait_s`.
    """
    root = f"{await connection.home()}/{ROOT}"
    folder = f"{root}/versions/{version}" if version else f"{root}/current"
    found = await connection.run(
        f"test -f {shlex.quote(folder)}/{NAME} && echo yes || true", "looking for what is deployed"
    )
    if not found.strip():
        raise BoardError(
            f"{connection.address}: nothing is deployed there: "
            f"specbp board deploy {connection.address}"
        )
    arguments = [f"{folder}/{NAME}", "--root", root, "--who", this_process()]
    arguments += ["--wait", f"{wait_s:g}"]
    if version:
        arguments += ["--version", version]
    prompt, sudo = "", ""
    if (await connection.run("id -u", "asking who we are")).strip() != "0":
        # sudo is asked with the very command: what it lets pass without a password, it may not
        # let pass for another one. The password goes to its standard input, never into a command.
        prompt = f"[specbp {secrets.token_hex(16)}]"
        sudo = f"sudo -S -p {shlex.quote(prompt)} -- "
    command = f"{sudo}bash -c {shlex.quote(PROFILE)} runner {shlex.join(arguments)}"
    process = await connection.within(
        connection.deadlines.command,
        "starting the runner",
        connection.ssh.create_process(command, encoding=None, env={"LC_ALL": "C"}),
    )
    client = RunnerClient(connection, process, prompt)
    try:
        await client.begin(connection.deadlines.start + wait_s)
        yield client
    finally:
        await client.close()
