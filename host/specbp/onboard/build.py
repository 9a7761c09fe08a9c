"""A build of the overlay in a folder: bitstream, hardware handoff, self-test, and a manifest.

What does not fit together is found here, before anything is programmed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from specbp.errors import UsageError
from specbp.onboard import bitfile
from specbp.overlay import hwh
from specbp.overlay.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "manifest.json"
FORMAT = 1
IDENTIFIER_PARAMETER = "BuildIdentifier"
"""Of the IP, in the hardware handoff; `Parameters.verilog` has it by this name."""


@dataclass(frozen=True)
class Build:
    """A build in `folder`.

    Attributes:
        folder: where its files are.
        manifest: what its maker wrote about it.
        parameters: of the overlay.
    """

    folder: Path
    manifest: Mapping[str, Any]
    parameters: Parameters

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
    def clock_mhz(self) -> float:
        """The clock that it was built for."""
        return float(self.manifest["clock_mhz"])

    def check(self) -> None:
        """Refuse files that are damaged, or do not belong together.

        Raises:
            UsageError: the message says which, and what to do.
        """
        for name, expected in self.manifest["files"].items():
            path = self.folder / name
            if not path.is_file():
                raise UsageError(f"{path}: missing: build or deploy the overlay again")
            if sha256(path) != expected:
                raise UsageError(
                    f"{path}: its SHA-256 is not the manifest's: the file is damaged or of "
                    "another build: build or deploy the overlay again"
                )
        expected_id = self.parameters.build_identifier
        for what, found in (
            ("the manifest", int(self.manifest["build_identifier"], 16)),
            (self.bitstream.name, _of_bitstream(self.bitstream)),
            (self.handoff.name, _of_handoff(self.handoff)),
        ):
            if found != expected_id:
                said = "no build identifier" if found is None else f"build identifier 0x{found:08X}"
                raise UsageError(
                    f"{self.folder}: {what} has {said}, the parameters mean 0x{expected_id:08X}: "
                    "bitstream, hwh and manifest are of different builds: take all of them from "
                    "one run of specbp overlay build"
                )


def open_build(folder: Path) -> Build:
    """Return the build in `folder`, whose files are not looked at yet.

    Raises:
        UsageError: there is none.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        if manifest["format"] != FORMAT:
            raise UsageError(f"{path}: format {manifest['format']}, this specbp reads {FORMAT}")
        build = Build(folder, manifest, Parameters(**manifest["parameters"]))
        _ = build.bitstream, build.handoff, build.selftest, build.clock_mhz, manifest["files"]
        return build
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: no build of the overlay there (no {MANIFEST}): specbp overlay build"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: damaged: {error!r}") from error


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


def _of_bitstream(path: Path) -> int | None:
    try:
        return bitfile.parse(path.read_bytes()).user_id
    except bitfile.BitfileError as error:
        raise UsageError(f"{path}: {error}: build the overlay again") from error


def _of_handoff(path: Path) -> int | None:
    try:
        root = ElementTree.parse(str(path)).getroot()
    except ElementTree.ParseError as error:
        raise UsageError(f"{path}: damaged: {error}") from error
    for module in root.iter("MODULE"):
        if module.get("VLNV") == hwh.VLNV:
            for parameter in module.iter("PARAMETER"):
                if parameter.get("NAME") == IDENTIFIER_PARAMETER:
                    return int(str(parameter.get("VALUE")), 0)
    return None
