"""What a board can run; nothing there is programmed, and no register read."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from specbp.boards.board import Board, board_named, board_names
from specbp.deploy.archive import NAME, archive
from specbp.deploy.connection import CommandOutput, Connection
from specbp.deploy.runner import PROFILE, ROOT
from specbp.deploy.upload import send
from specbp.doctor.finding import Finding
from specbp.errors import UsageError
from specbp.onboard import messages
from specbp.onboard.protocol import ABOUT
from specbp.onboard.untrusted import UntrustedError

LEAST_PYTHON = (3, 8)
LEAST_FREE_BYTES = 50_000_000
IMAGES = ("2.7", "3.0", "3.1", "4.0")
"""Versions of PYNQ's images that were looked at."""


async def examine(connection: Connection) -> list[Finding]:
    """Return what was found on the board.

    The runner is sent along for this and deleted afterwards: nothing need be deployed.

    Raises:
        BoardError: the board does not answer, or its Python does not start.
    """
    home = await connection.home()
    folder = await connection.path("mktemp -d", "making a folder")
    path = f"{folder}/{NAME}"
    try:
        await send(connection, path, archive())
        arguments = shlex.join([path, "--about", "--root", f"{home}/{ROOT}"])
        command = f"bash -c {shlex.quote(PROFILE)} runner {arguments}"
        done = await connection.output(command, "looking at the board", connection.deadlines.start)
    finally:
        await connection.run(f"rm -rf {shlex.quote(folder)}", "cleaning up")
    about = _about(connection, done)
    sudo = await connection.run("sudo -n true 2>/dev/null && echo free || echo asks", "sudo")
    return list(_findings(about, sudo.strip() == "free"))


def _about(connection: Connection, done: CommandOutput) -> dict[str, Any]:
    """Return what the runner printed about its board."""
    try:
        message = messages.read(io.BytesIO(done.stdout))
    except messages.MessageError:
        message = None
    if message is None:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise connection.error(
            f"its Python does not run the runner: {said[-1] if said else 'no message'}"
        )
    try:
        return ABOUT.read(message.header, "")
    except UntrustedError as error:
        raise connection.error(f"what its runner says of it does not fit: {error}") from error


def _findings(about: Mapping[str, Any], free_sudo: bool) -> Iterator[Finding]:
    yield _at_least("Python", about["python"], LEAST_PYTHON)
    yield Finding(
        "image",
        "ok" if about["image"] else "missing",
        about["image"] or "unknown",
        "",
        ""
        if about["image"]
        else f"PYNQ images {IMAGES[0]} to {IMAGES[-1]} say what they are; "
        "a simulated board has none",
    )
    board = _known(about["board"])
    yield _board(about["board"], board)
    yield _pynq(about["pynq"], board)
    yield Finding("numpy", "ok", about["numpy"])
    yield Finding("sudo", "ok", "asks for no password" if free_sudo else "asks for a password")
    yield Finding("XRT", "ok" if about["xrt"] else "missing", about["xrt"] or "XILINX_XRT not set",
                  "buffers with pynq 3", "" if about["xrt"] else "/etc/profile.d of the image "
                  "sets it; devices are found without it on simulated boards")  # fmt: skip
    yield Finding("devices", "ok" if about["devices"] else "wrong", ", ".join(about["devices"]),
                  "everything", "" if about["devices"] else "pynq finds none: is XRT set up, and "
                  "the image one for this board?")  # fmt: skip
    free = int(about["free_bytes"])
    yield Finding("free space", "ok" if free > LEAST_FREE_BYTES else "wrong",
                  f"{free / 1e6:,.0f} MB", "deploying",
                  "" if free > LEAST_FREE_BYTES else "delete files on the SD card")  # fmt: skip
    clock = about["clock_mhz"]
    yield Finding(
        "clock",
        "ok" if clock else "missing",
        f"{clock:g} MHz" if clock else "",
        "",
        "" if clock else "needs root: it is read when a build is deployed",
    )
    yield from _overlay(about)


def _overlay(about: Mapping[str, Any]) -> Iterator[Finding]:
    loaded = about["loaded"]
    if loaded["bitstream"] is None:
        yield Finding("loaded overlay", "missing", "none that pynq remembers", "",
                      "specbp board deploy HOST")  # fmt: skip
    else:
        known = loaded["known_as"]
        yield Finding("loaded overlay", "ok" if known else "missing", loaded["bitstream"],
                      "", f"version {known}" if known else "its hash is that of no version "
                      "deployed here: specbp board deploy HOST programs one that is")  # fmt: skip
    current, previous = about["current"], about["previous"]
    found = f"{current}, before it {previous or 'none'}" if current else "none"
    yield Finding("deployed", "ok" if current else "missing", found, "pynq://",
                  "" if current else "specbp board deploy HOST")  # fmt: skip


def _at_least(what: str, found: str, least: tuple[int, int]) -> Finding:
    enough = tuple(map(int, re.findall(r"\d{1,9}", found)[:2])) >= least
    wanted = ".".join(map(str, least))
    return Finding(what, "ok" if enough else "wrong", found, "the runner",
                   "" if enough else f"use an image with Python {wanted} or newer")  # fmt: skip


def _known(name: str | None) -> Board | None:
    try:
        return board_named(name or "")
    except UsageError:
        return None


def _board(name: str | None, board: Board | None) -> Finding:
    if board is not None:
        return Finding("board", "ok", f"{name}: {board.title}, {board.part}")
    if name:
        return Finding("board", "missing", name, "overlay build --board",
                       f"files are about {', '.join(board_names())}: EXTENDING.md says how to add "
                       "a board")  # fmt: skip
    return Finding("board", "wrong", "unknown", "pynq", "use a PYNQ image: it sets BOARD")


def _pynq(found: str | None, board: Board | None) -> Finding:
    cure = "use a PYNQ image; never pip-install pynq on a board"
    if found is None:
        return Finding("pynq", "wrong", "", "everything", cure)
    versions = IMAGES if board is None else board.pynq
    if found.startswith(tuple(versions)):
        return Finding("pynq", "ok", found, "the runner")
    wanted = f"images {' and '.join(versions)} know {board.title if board else 'boards'}"
    if board is not None and board.processing_system == "ps7" and found.startswith("4"):
        wanted = f"pynq 4.0 has dropped Zynq-7000: {wanted}"
    return Finding("pynq", "wrong", found, "the runner", f"{wanted}: {cure}")
