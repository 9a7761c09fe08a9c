"""Data from others: a board's answers, a build's manifest, the vectors of its self-test.

All of it passes through here, where size, type and range are checked and control characters lose
their effect. A schema is built of the classes below; its `read` returns what it describes, and
nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Schema(Protocol):
        """What a value must be."""

        def read(self, value: Any, where: str) -> Any:
            """Return the value as it may be used; `where` names it in the error."""


MOST_SHOWN = 60
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
"""Names of files that mean the same everywhere: no path, nothing hidden, no option."""


class UntrustedError(Exception):
    """The data does not fit its schema."""


def printable(text: str, most: int = 2000, lines: bool = False) -> str:
    r"""Return `text` as a terminal may show it: what is no printable character as ``\x1b``.

    Args:
        text: what someone else wrote.
        most: number of characters after which it is cut.
        lines: whether line feeds stay.
    """
    cut = text if len(text) <= most else text[:most] + "..."
    return "".join(
        letter if letter.isprintable() or (lines and letter == "\n") else ascii(letter)[1:-1]
        for letter in cut
    )


def parse_json(text: bytes, most: int) -> Any:
    """Return what the JSON `text` says; numbers are finite, and no name is there twice.

    Raises:
        UntrustedError: it is longer than `most` bytes, nested too deeply, or no such JSON.
    """
    if len(text) > most:
        raise UntrustedError(f"{len(text)} bytes, at most {most} are expected")
    try:
        return json.loads(
            text.decode(), parse_constant=_refuse_constant, object_pairs_hook=_each_name_once
        )
    except RecursionError:
        raise UntrustedError("nested too deeply") from None
    except ValueError as error:
        # The message of a JSONDecodeError says where; that of a UnicodeDecodeError has the bytes.
        cause = "not UTF-8" if isinstance(error, UnicodeDecodeError) else printable(str(error), 200)
        raise UntrustedError(f"not JSON: {cause}") from None


@dataclass(frozen=True)
class Integer:
    """An integer from `low` to `high`."""

    low: int
    high: int

    def read(self, value: Any, where: str) -> int:
        """Return the integer; `where` names it in the error."""
        if type(value) is not int or not self.low <= value <= self.high:
            raise _unfit(value, where, f"an integer from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`."""

    low: float
    high: float

    def read(self, value: Any, where: str) -> float:
        """Return the number; `where` names it in the error."""
        if type(value) not in (int, float) or not self.low <= value <= self.high:
            raise _unfit(value, where, f"a number from {self.low:g} to {self.high:g}")
        return float(value)


@dataclass(frozen=True)
class Text:
    """A text of at most `most` characters; those that are not printable are spelled out.

    Attributes:
        most: number of characters.
        form: what all of it must match.
        lines: whether it may have several lines.
    """

    most: int = 200
    form: str | None = None
    lines: bool = False

    def read(self, value: Any, where: str) -> str:
        """Return the text; `where` names it in the error."""
        if not isinstance(value, str) or len(value) > self.most:
            raise _unfit(value, where, f"a text of at most {self.most} characters")
        if self.form is not None and re.fullmatch(self.form, value) is None:
            raise _unfit(value, where, f"a text like {self.form}")
        return printable(value, 4 * self.most, self.lines)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: Any, where: str) -> bool:
        """Return the flag; `where` names it in the error."""
        if not isinstance(value, bool):
            raise _unfit(value, where, "true or false")
        return value


@dataclass(frozen=True)
class List:
    """A list of `least` to `most` values that fit `of`."""

    of: Schema
    most: int
    least: int = 0

    def read(self, value: Any, where: str) -> list[Any]:
        """Return the list; `where` names it in the error."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            raise _unfit(value, where, f"a list of {self.least} to {self.most}")
        return [self.of.read(part, f"{where}[{index}]") for index, part in enumerate(value)]


@dataclass(frozen=True)
class Row:
    """A list with one value for each schema of `parts`."""

    parts: tuple[Schema, ...]

    def read(self, value: Any, where: str) -> list[Any]:
        """Return the list; `where` names it in the error."""
        if not isinstance(value, list) or len(value) != len(self.parts):
            raise _unfit(value, where, f"a list of {len(self.parts)}")
        return [
            part.read(value[index], f"{where}[{index}]") for index, part in enumerate(self.parts)
        ]


@dataclass(frozen=True)
class Record:
    """An object with these fields.

    Attributes:
        fields: schema of each field by name.
        optional: schema of each field that may be absent.
        closed: whether any other field is refused; it is left out otherwise.
    """

    fields: Mapping[str, Schema]
    optional: Mapping[str, Schema] = field(default_factory=dict)
    closed: bool = False

    def read(self, value: Any, where: str) -> dict[str, Any]:
        """Return the object; `where` names it in the error."""
        if not isinstance(value, dict):
            raise _unfit(value, where, "an object")
        prefix = f"{where}." if where else ""
        known = {**self.fields, **self.optional}
        for name in value:
            if self.closed and name not in known:
                raise UntrustedError(f"{prefix}{printable(name, MOST_SHOWN)} is no field of it")
        for name in self.fields:
            if name not in value:
                raise UntrustedError(f"{prefix}{name} is missing")
        return {
            name: schema.read(value[name], prefix + name)
            for name, schema in known.items()
            if name in value
        }


@dataclass(frozen=True)
class Table:
    """An object with at most `most` plain names, all of whose values fit `of`."""

    of: Schema
    most: int

    def read(self, value: Any, where: str) -> dict[str, Any]:
        """Return the object; `where` names it in the error."""
        if not isinstance(value, dict) or len(value) > self.most:
            raise _unfit(value, where, f"an object of at most {self.most}")
        for name in value:
            if len(name) > 100 or PLAIN_NAME.fullmatch(name) is None:
                raise _unfit(name, f"a name in {where}", "a plain name")
        return {name: self.of.read(part, f"{where}.{name}") for name, part in value.items()}


@dataclass(frozen=True)
class Nullable:
    """What fits `of`, or null."""

    of: Schema

    def read(self, value: Any, where: str) -> Any:
        """Return the value or None; `where` names it in the error."""
        return None if value is None else self.of.read(value, where)


def _unfit(value: Any, where: str, expected: str) -> UntrustedError:
    if isinstance(value, (list, dict)):
        shown = f"a list of {len(value)}" if isinstance(value, list) else "an object"
    else:
        shown = printable(json.dumps(value), MOST_SHOWN)
    return UntrustedError(f"{where or 'it'} is {shown}, {expected} is expected")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found
