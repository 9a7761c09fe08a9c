"""Sends a version to a board; what arrived before the connection broke is not sent again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import asyncssh

from specbp.deploy.connection import Connection
from specbp.deploy.contents import Version
from specbp.deploy.failure import BoardError

BLOCK = 1 << 16
SPARE_BYTES = 4 << 20
"""What a board's disk keeps free beside a version."""
Advanced = Callable[[int], None]
"""Hears how many more bytes are there."""


async def upload(
    connection: Connection, root: str, version: Version, advanced: Advanced = lambda _: None
) -> int:
    """Bring `version` into its folder; only complete and checked ones have one.

    Returns:
        How many bytes were sent; 0 where all was there already.

    Raises:
        BoardError: there is no room, it does not arrive as it was sent, or not in time.
        ConnectionLostError: the connection ended; the next upload goes on from there.
    """
    final = f"{root}/versions/{version.name}"
    if await _there(connection, final):
        await _check_hashes(connection, final, version)
        advanced(version.size)
        return 0
    partial = f"{root}/uploads/{version.name}"
    await connection.run(
        f"mkdir -p {shlex.quote(partial)} {shlex.quote(root)}/versions", "making folders"
    )
    sent = 0
    async with connection.sftp() as sftp:
        await _require_room(connection, root, version.size)
        for name, content in version.files.items():
            sent += await _send(connection, sftp, f"{partial}/{name}", content, advanced)
    await _check_hashes(connection, partial, version)
    await connection.run(
        f"mv -T {shlex.quote(partial)} {shlex.quote(final)}", "putting the version in place"
    )
    return sent


async def send(connection: Connection, path: str, content: bytes) -> None:
    """Send a new file to `path` on the board.

    Raises:
        BoardError: the board takes no files, or not in time.
    """
    async with connection.sftp() as sftp:
        await _send(connection, sftp, path, content, lambda _: None)


async def _send(
    connection: Connection, sftp: Any, path: str, content: bytes, advanced: Advanced
) -> int:
    """Send `content` from where the file on the board ends; return how much that was."""
    step = f"sending {path.rsplit('/', 1)[1]}"
    deadline = connection.deadlines.block
    try:
        start = await connection.within(deadline, step, _size(sftp, path))
        if start > len(content):
            start = 0
        advanced(start)
        mode = "r+b" if start else "wb"
        file = await connection.within(deadline, step, sftp.open(path, mode))
        for offset in range(start, len(content), BLOCK):
            block = content[offset : offset + BLOCK]
            await connection.within(deadline, step, file.write(block, offset))
            advanced(len(block))
        await connection.within(deadline, step, file.close())
    except asyncssh.SFTPError as error:
        if isinstance(error, asyncssh.SFTPConnectionLost):
            raise connection.lost(step, error) from error
        raise connection.error(
            f"{step} failed: {error.reason or error}: is its disk full? "
            "Look with: specbp board doctor"
        ) from error
    return len(content) - start


async def _size(sftp: Any, path: str) -> int:
    try:
        return int((await sftp.stat(path)).size or 0)
    except asyncssh.SFTPNoSuchFile:
        return 0


async def _require_room(connection: Connection, root: str, size: int) -> None:
    shown = await connection.run(f"df -Pk {shlex.quote(root)} | tail -1", "asking for free space")
    match = re.search(r"\s(\d{1,15})\s+\d+%\s", shown)
    if match is None:
        raise connection.error(f'asking for free space: "{shown.strip()[:100]}" does not say it')
    free = int(match[1]) * 1024
    if free < size + SPARE_BYTES:
        raise BoardError(
            f"{connection.address}: its disk is full: {size / 1e6:.1f} MB are to be sent and "
            f"{free / 1e6:.1f} MB are free: delete files there, then run the command again"
        )


async def _check_hashes(connection: Connection, folder: str, version: Version) -> None:
    """Refuse, and delete, files that are not what was sent."""
    names = shlex.join(version.files)
    shown = await connection.run(
        f"cd {shlex.quote(folder)} && sha256sum -b {names} 2>/dev/null || true", "checking hashes"
    )
    found = {}
    for line in shown.splitlines():
        digest, _, name = line.partition(" *")
        found[name] = digest
    bad = [name for name, digest in version.hashes.items() if found.get(name) != digest]
    if bad:
        await connection.run(f"rm -rf {shlex.quote(folder)}", "deleting what is damaged")
        raise BoardError(
            f"{connection.address}: {', '.join(bad)}: the SHA-256 on the board is not that of what "
            "was sent; the copy there was deleted: run the command again, and if this comes "
            "back, the SD card is failing"
        )


async def _there(connection: Connection, folder: str) -> bool:
    shown = await connection.run(f"test -d {shlex.quote(folder)} && echo yes || true", "looking")
    return bool(shown.strip())
