"""Checks a hardware handoff, which is XML of a build's maker, before pynq reads it as root.

pynq maps the addresses it finds there and writes to them, so only those of the programmable logic
are let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from specbp.onboard.untrusted import UntrustedError, printable
from specbp.overlay import hwh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specbp.boards.board import Board

IDENTIFIER_PARAMETER = "BuildIdentifier"
"""Of the IP; `Parameters.verilog` has it by this name."""
MOST_DEPTH, MOST_ELEMENTS = 64, 1 << 18


def build_identifier_in(content: bytes, board: Board) -> int | None:
    """Return the build identifier in the handoff `content`, None where it has none.

    Args:
        content: text of the handoff, XML.
        board: the board that the build is for, whose file says where the logic answers.

    Raises:
        UntrustedError: it is no such XML, declares a document type or entities, or maps registers
            where the programmable logic of `board` is not.
    """
    reader = _Reader(board.logic)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UntrustedError(f"not the XML of a handoff: {printable(str(error), 200)}") from None
    if reader.overlays != 1:
        raise UntrustedError(f"{reader.overlays} modules are the overlay {hwh.VLNV}, not one")
    return reader.identifier


class _Reader:
    """Follows the elements of a handoff.

    Attributes:
        overlays: modules that are the overlay.
        identifier: the build identifier.

    Args:
        logic: first and last address at which the programmable logic answers.
    """

    def __init__(self, logic: tuple[int, int]) -> None:
        self._logic = logic
        self.overlays = 0
        self.identifier: int | None = None
        self._depth = self._elements = 0
        self._instance = ""
        self._inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """See an element begin."""
        self._depth += 1
        self._elements += 1
        if self._depth > MOST_DEPTH or self._elements > MOST_ELEMENTS:
            raise UntrustedError("the XML of the handoff is nested too deeply, or too long")
        if name == "MODULE":
            self._instance = attributes.get("INSTANCE", "")
            self._inside = attributes.get("VLNV") == hwh.VLNV
            self.overlays += self._inside
            if self._inside and self._instance != hwh.INSTANCE:
                raise UntrustedError(f"the overlay is not the instance {hwh.INSTANCE}")
        elif name == "PARAMETER" and self._inside:
            if attributes.get("NAME") == IDENTIFIER_PARAMETER:
                self.identifier = _integer(attributes.get("VALUE", ""), IDENTIFIER_PARAMETER)
        elif name == "MEMRANGE" and attributes.get("MEMTYPE", "").upper() == "REGISTER":
            self._check_range(attributes)

    def end(self, name: str) -> None:
        """See an element end."""
        self._depth -= 1
        if name == "MODULE":
            self._inside = False

    def _check_range(self, attributes: Mapping[str, str]) -> None:
        instance = attributes.get("INSTANCE", "")
        if instance == self._instance:
            # What the processing system lists of itself, pynq maps nowhere.
            return
        low = _integer(attributes.get("BASEVALUE", ""), "BASEVALUE")
        high = _integer(attributes.get("HIGHVALUE", ""), "HIGHVALUE")
        first, last = self._logic
        if not first <= low <= high <= last:
            raise UntrustedError(
                f"the registers of {printable(instance, 60)} are at 0x{low:08X} to 0x{high:08X}, "
                f"the programmable logic is at 0x{first:08X} to 0x{last:08X}"
            )


def _refuse_document_type(*_: object) -> None:
    raise UntrustedError("the XML of a handoff declares no document type and no entities")


def _integer(text: str, name: str) -> int:
    try:
        value = int(text[:40], 0)
    except ValueError:
        raise UntrustedError(f"{name} is {printable(text, 60)!r}, no number") from None
    if not 0 <= value < 1 << 64:
        raise UntrustedError(f"{name} is {printable(text, 60)}, out of range")
    return value
