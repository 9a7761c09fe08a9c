"""A build of the overlay in a folder: bitstream, hardware handoff, self-test, and a manifest.

These four files are a build, and nothing else in its folder is. A build may come from anyone, so
that it is data to be checked: what does not fit is found here, before anything is programmed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specbp.boards.board import Board, board_named
from specbp.errors import SpecbpError, UsageError
from specbp.onboard import bitfile
from specbp.onboard.handoff import build_identifier_in
from specbp.onboard.protocol import CLOCK_MHZ, IDENTIFIER, PARAMETERS
from specbp.onboard.untrusted import (
    Integer,
    Number,
    Record,
    Table,
    Text,
    UntrustedError,
    parse_json,
    printable,
)
from specbp.onboard.vectors import read_vectors
from specbp.overlay.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "manifest.json"
FORMAT = 1
SUFFIXES = {"bitstream": ".bit", "handoff": ".hwh", "selftest": ".bin"}
"""Which files a build has beside its manifest, and how their names end."""
MOST_MANIFEST, MOST_FILE = 1 << 16, 64 << 20
_STEM = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
SCHEMA = Record(
    {
        "format": Integer(0, 1000),
        "board": Text(100),
        "part": Text(100),
        "parameters": PARAMETERS,
        "build_identifier": IDENTIFIER,
        "interface": Text(40, "[0-9a-f]{8,40}"),
        "clock_mhz": CLOCK_MHZ,
        **{name: Text(110, f"{_STEM}[.]{end[1:]}") for name, end in SUFFIXES.items()},
        "files": Table(Text(64, "[0-9a-f]{64}"), len(SUFFIXES)),
    },
    {
        "tool": Text(100),
        "slack_ns": Number(-1e6, 1e6),
        "hold_slack_ns": Number(-1e6, 1e6),
        "utilisation": Table(Number(0, 1e9), 20),
    },
    closed=True,
)


@dataclass(frozen=True)
class Build:
    """A build in `folder`.

    Attributes:
        folder: where its files are.
        manifest: what its maker wrote about it; it fits `SCHEMA`.
        parameters: parameters of the overlay.
        manifest_content: the manifest as it was read.
    """

    folder: Path
    manifest: Mapping[str, Any]
    parameters: Parameters
    manifest_content: bytes

    @property
    def bitstream(self) -> Path:
        """The .bit file."""
        return self.folder / str(self.manifest["bitstream"])

    @property
    def handoff(self) -> Path:
        """The .hwh file."""
        return self.folder / str(self.manifest["handoff"])

    @property
    def selftest(self) -> Path:
        """The stored vectors of the self-test."""
        return self.folder / str(self.manifest["selftest"])

    @property
    def board(self) -> Board:
        """The board that it was built for, or whose simulation.

        Raises:
            UsageError: this package knows no such board.
        """
        return board_named(str(self.manifest["board"]))

    @property
    def clock_mhz(self) -> float:
        """The clock that it was built for."""
        return float(self.manifest["clock_mhz"])

    def check(self) -> dict[str, bytes]:
        """Return the content of the build's four files by name; what was returned was checked.

        Raises:
            UsageError: files are damaged, are links, or do not belong together.
        """
        contents = {}
        for name, expected in self.manifest["files"].items():
            path = self.folder / name
            try:
                contents[name] = _content(path, MOST_FILE)
            except FileNotFoundError:
                raise UsageError(f"{path}: missing: build or deploy the overlay again") from None
            if hashlib.sha256(contents[name]).hexdigest() != expected:
                raise UsageError(
                    f"{path}: its SHA-256 is not the manifest's: the file is damaged or of "
                    "another build: build or deploy the overlay again"
                )
        self._check_identifiers(contents)
        try:
            read_vectors(contents[self.selftest.name])
        except SpecbpError as error:
            raise UsageError(f"{self.selftest}: {error}: build the overlay again") from error
        return {**contents, MANIFEST: self.manifest_content}

    def _check_identifiers(self, contents: Mapping[str, bytes]) -> None:
        expected_id = self.parameters.build_identifier
        bitstream, handoff = self.bitstream, self.handoff
        for what, found in (
            ("the manifest", int(self.manifest["build_identifier"], 16)),
            (bitstream.name, _of_bitstream(bitstream, contents[bitstream.name])),
            (handoff.name, _of_handoff(handoff, contents[handoff.name], self.board)),
        ):
            if found != expected_id:
                said = "no build identifier" if found is None else f"build identifier 0x{found:08X}"
                raise UsageError(
                    f"{self.folder}: {what} has {said}, the parameters mean 0x{expected_id:08X}: "
                    "bitstream, hwh and manifest are of different builds: take all of them from "
                    "one run of specbp overlay build"
                )


def open_build(folder: Path) -> Build:
    """Return the build in `folder`, whose files beside the manifest are not looked at yet.

    Raises:
        UsageError: there is none, or its manifest is not one.
    """
    path = folder / MANIFEST
    try:
        content = _content(path, MOST_MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{folder}: no build of the overlay there (no {MANIFEST}): specbp overlay build"
        ) from None
    try:
        return Build(folder, *read_manifest(content), content)
    except (UntrustedError, UsageError) as error:
        raise UsageError(f"{path}: damaged, or no manifest: {error}") from error


def read_manifest(content: bytes) -> tuple[dict[str, Any], Parameters]:
    """Return the manifest in `content`, and the parameters of its overlay.

    Raises:
        UntrustedError: it does not fit `SCHEMA`, or names other files than a build has.
        UsageError: there is no overlay with such parameters, or the format is another one.
    """
    found = parse_json(content, MOST_MANIFEST)
    if isinstance(found, dict) and type(found.get("format")) is int and found["format"] != FORMAT:
        written = printable(str(found["format"])[:20])
        raise UsageError(f"format {written}, this specbp reads {FORMAT}")
    manifest = SCHEMA.read(found, "")
    names = sorted(manifest[kind] for kind in SUFFIXES)
    if sorted(manifest["files"]) != names:
        raise UntrustedError(f"files has not exactly {', '.join(names)}")
    stems = [manifest[kind].rpartition(".")[0] for kind in ("bitstream", "handoff")]
    if stems[0] != stems[1]:
        raise UntrustedError("bitstream and handoff differ in their names, pynq would not find one")
    return manifest, Parameters(**manifest["parameters"])


def usual_folder(board: str, parameters: Parameters) -> Path:
    """Return where `specbp overlay build` puts the build for a board."""
    return Path("build/overlay") / f"{board.lower()}-{parameters.cores}x{parameters.lanes}"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _content(path: Path, most: int) -> bytes:
    """Return what is in the file `path`, which is an ordinary one and no link to another.

    Raises:
        FileNotFoundError: there is none.
        UsageError: it is no ordinary file, too large, or cannot be read.
    """
    try:
        # Whoever writes a named pipe there keeps nobody waiting.
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        cause = "a link, which no build has" if error.errno == errno.ELOOP else error.strerror
        raise UsageError(f"{path}: {cause}: take the build's own files") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path}: no ordinary file: take the build's own files")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UsageError(f"{path}: more than {most} bytes, which no build has")
    return content


def _of_bitstream(path: Path, content: bytes) -> int | None:
    try:
        return bitfile.parse(content).user_id
    except bitfile.BitfileError as error:
        raise UsageError(f"{path}: {error}: build the overlay again") from error


def _of_handoff(path: Path, content: bytes, board: Board) -> int | None:
    try:
        return build_identifier_in(content, board)
    except UntrustedError as error:
        raise UsageError(f"{path}: {error}: build the overlay again") from error
