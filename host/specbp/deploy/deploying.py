"""Deploying: upload, check, program, read back, self-test, and only then switch to it.

On the board, in the account's home:

    specbp/versions/HASH/    complete and checked files
    specbp/uploads/HASH/     what is under way
    specbp/current           link to the version in use: it has passed its self-test here
    specbp/previous          link to the one before
    specbp/deploy.lock       held by who deploys

The run in progress holds a lock that all accounts of the board share (`specbp.onboard.lock`).
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from specbp.deploy.connection import Connection
from specbp.deploy.contents import NAME_DIGITS, Version
from specbp.deploy.failure import BoardError
from specbp.deploy.runner import ROOT, start_runner, this_process
from specbp.deploy.upload import upload

KEPT_BESIDES = ("current", "previous")
_VERSION = re.compile(f"[0-9a-f]{{{NAME_DIGITS}}}")


@dataclass(frozen=True)
class Deployed:
    """What a deployment did.

    Attributes:
        version: name of the version.
        sent: bytes that were uploaded.
        switched: whether `current` is another one now.
        loaded: what the board says of the programmed overlay.
        selftest: what the self-test compared, and its cycles.
    """

    version: str
    sent: int
    switched: bool
    loaded: dict[str, Any]
    selftest: dict[str, Any]


@dataclass(frozen=True)
class DeploymentListener:
    """Hears how a deployment goes on.

    Attributes:
        step: the next step, in words.
        sent: so many more bytes are on the board.
    """

    step: Callable[[str], None] = lambda _: None
    sent: Callable[[int], None] = lambda _: None


async def deploy(
    connection: Connection, version: Version, listener: DeploymentListener, wait_s: float = 0.0
) -> Deployed:
    """Deploy `version` and switch to it once it has passed its self-test.

    Args:
        connection: connection to the board.
        version: what to deploy.
        listener: hears how it goes on.
        wait_s: for a run in progress to end.

    Raises:
        BoardError: a step failed, or someone else is deploying; `current` is what it was.
    """
    root = await _root(connection)
    async with _deploy_lock(connection, root):
        listener.step("uploading")
        sent = await upload(connection, root, version, listener.sent)
        loaded, selftest = await _test(connection, version.name, listener, wait_s)
        before = await _linked(connection, root, "current")
        if before != version.name:
            listener.step("switching")
            await _link(connection, root, {"previous": before, "current": version.name})
        await _prune(connection, root)
    return Deployed(version.name, sent, before != version.name, loaded, selftest)


async def roll_back(
    connection: Connection, listener: DeploymentListener, wait_s: float = 0.0
) -> Deployed:
    """Go back to the version before, which becomes current once it has passed its self-test again.

    Raises:
        BoardError: there is none, or a step failed; `current` is what it was.
    """
    root = await _root(connection)
    async with _deploy_lock(connection, root):
        before, target = [await _linked(connection, root, name) for name in KEPT_BESIDES]
        if target is None:
            raise BoardError(f"{connection.address}: there is no version before this one")
        loaded, selftest = await _test(connection, target, listener, wait_s)
        listener.step("switching")
        await _link(connection, root, {"previous": before, "current": target})
    return Deployed(target, 0, True, loaded, selftest)


async def _test(
    connection: Connection, name: str, listener: DeploymentListener, wait_s: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Program a version and run its self-test."""
    listener.step("programming")
    async with start_runner(connection, name, wait_s) as runner:
        deadlines = connection.deadlines
        loaded = await runner.ask(deadlines.load, "programming the overlay", {"do": "load"})
        listener.step("self-test")
        done = await runner.ask(deadlines.selftest, "the self-test", {"do": "selftest"})
        return {**runner.hello, **loaded.header}, done.header


async def _root(connection: Connection) -> str:
    root = f"{await connection.home()}/{ROOT}"
    await connection.run(f"mkdir -p {shlex.quote(root)}", "making folders")
    return root


@asynccontextmanager
async def _deploy_lock(connection: Connection, root: str) -> AsyncIterator[None]:
    """Keep others from deploying; the board takes it back when the connection ends."""
    lock = shlex.quote(f"{root}/deploy.lock")
    held = (
        f"exec 9>>{lock}; if flock -n 9; then "
        f"echo {shlex.quote(this_process())} > {lock}; echo held; "
        f"cat > /dev/null; else cat {lock}; fi"
    )
    process = await connection.within(
        connection.deadlines.command,
        "locking the board",
        connection.ssh.create_process(held, encoding=None),
    )
    try:
        line = await connection.within(
            connection.deadlines.command, "locking the board", process.stdout.readline()
        )
        said = line[:400].decode(errors="replace").strip()
        if said != "held":
            raise connection.error(
                f"{said or 'someone else'} is deploying to it: wait for that to end"
            )
        yield
    finally:
        process.stdin.write_eof()
        try:
            await asyncio.wait_for(process.wait_closed(), 1.0)
        except (OSError, asyncio.TimeoutError):
            process.close()


async def _linked(connection: Connection, root: str, name: str) -> str | None:
    shown = await connection.run(f"readlink {shlex.quote(root)}/{name} || true", "reading links")
    version = shown.strip().rpartition("/")[2]
    return version if _VERSION.fullmatch(version) else None


async def _link(connection: Connection, root: str, links: dict[str, str | None]) -> None:
    """Make each link by one rename, in order; a board's card may lose power at any time."""
    for name, version in links.items():
        if version is not None:
            await connection.run(
                f"cd {shlex.quote(root)} && sync && ln -sfn versions/{version} {name}.new && "
                f"mv -T {name}.new {name} && sync",
                f"switching {name}",
            )


async def _prune(connection: Connection, root: str) -> None:
    """Delete versions that neither `current` nor `previous` is."""
    kept = {await _linked(connection, root, name) for name in KEPT_BESIDES}
    shown = await connection.run(f"ls {shlex.quote(root)}/versions", "looking for old versions")
    old = [name for name in shown.split() if _VERSION.fullmatch(name) and name not in kept]
    if old:
        await connection.run(
            f"cd {shlex.quote(root)}/versions && rm -rf {shlex.join(old)}", "deleting old versions"
        )
