"""A fleet: boards in a file, which together are one backend, `fleet:FILE`.

    [[board]]
    name = "lab-1"
    address = "pynq://xilinx@192.168.2.99"

    [[board]]
    name = "lab-2"
    address = "remote://192.168.2.98:7967"

Cells of `fleet:FILE#lab-1` are pinned to that board; those of `fleet:FILE` go to whichever is free.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specbp.deploy.address import parse_address
from specbp.errors import SpecbpError, UsageError, nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PREFIX = "fleet:"
ADDRESSES = ("pynq://", "remote://")


@dataclass(frozen=True)
class FleetBoard:
    """A board of a fleet.

    Attributes:
        name: what cells call it.
        address: the backend, such as ``pynq://xilinx@192.168.2.99``.
    """

    name: str
    address: str


def split_backend(backend: str) -> tuple[Path, str | None]:
    """Return file and pinned board of ``fleet:FILE[#NAME]``.

    Raises:
        UsageError: it names no file.
    """
    file, _, name = backend.removeprefix(PREFIX).partition("#")
    if not file:
        raise UsageError(f'"{backend}" names no file: write fleet:FILE or fleet:FILE#BOARD')
    return Path(file), name or None


def boards_of(backend: str) -> tuple[FleetBoard, ...]:
    """Return the boards that may train cells of `backend`: all of the file, or the pinned one.

    Raises:
        UsageError: the file is none, or has no such board.
    """
    path, pinned = split_backend(backend)
    boards = _read(path)
    if pinned is None:
        return boards
    names = [board.name for board in boards]
    if pinned not in names:
        raise UsageError(
            f'{path} has no board "{pinned}"{nearest(pinned, names)}: it has {", ".join(names)}'
        )
    return tuple(board for board in boards if board.name == pinned)


def assign(board: FleetBoard | None) -> None:
    """Make `board` the one that trains all of this process's cells of a fleet."""
    global _assigned
    _assigned = board


def assigned() -> FleetBoard:
    """Return the board that trains this process's cells of a fleet.

    Raises:
        SpecbpError: none was assigned.
    """
    if _assigned is None:
        raise SpecbpError("a fleet's boards train in processes of their own: specbp run or bench")
    return _assigned


def _read(path: Path) -> tuple[FleetBoard, ...]:
    try:
        said = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path}: no fleet can be read there: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    entries = said.get("board")
    if set(said) != {"board"} or not isinstance(entries, list) or not entries:
        raise UsageError(f"{path}: a fleet is a list of [[board]], each with name and address")
    boards = tuple(_board(path, entry) for entry in entries)
    for what in ("name", "address"):
        values = [getattr(board, what) for board in boards]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise UsageError(f"{path}: two boards with the {what} {', '.join(sorted(twice))}")
    return boards


def _board(path: Path, entry: Any) -> FleetBoard:
    if not isinstance(entry, dict) or set(entry) != {"name", "address"}:
        raise UsageError(f"{path}: a board has name and address, and nothing else")
    name, address = entry["name"], entry["address"]
    if not isinstance(name, str) or not isinstance(address, str) or not name or "#" in name:
        raise UsageError(f"{path}: name and address of a board are texts, a name without #")
    if not address.startswith(ADDRESSES):
        raise UsageError(f"{path}: the address of {name} begins with {' or '.join(ADDRESSES)}")
    parse_address(address)
    return FleetBoard(name, address)


_assigned: FleetBoard | None = None
