"""Standard output and error that survive their reader, their disk and their encoding.

The work of a command goes on, and its exit code stays, when nobody reads what it prints any more.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

from specbp.errors import UsageError

_IN_ASCII = {
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": "*",
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{SUPERSCRIPT TWO}": "^2",
    "\N{VULGAR FRACTION ONE HALF}": "1/2",
    "\N{GREEK CAPITAL LETTER DELTA}": "d",
    "\N{GREEK CAPITAL LETTER SIGMA}": "sum ",
    "\N{SQUARE ROOT}": "sqrt ",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
}
"""How what we print is written where the encoding of the terminal does not have it."""
_ERRORS = "specbp.plain"


class StandardOutput:
    """What became of standard output.

    Attributes:
        failure: why something could not be written, None where all was, or where the reader left.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None


class _Raw(io.FileIO):
    """A file descriptor; once writing to it fails, what is written is thrown away."""

    def __init__(self, descriptor: int, output: StandardOutput) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._output = output

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self._output.failure = self._output.failure or error
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes  # type: ignore[arg-type]


def prepare() -> StandardOutput:
    """Make standard output and error robust.

    Returns:
        What becomes of standard output.

    Raises:
        UsageError: standard output is closed.
    """
    codecs.register_error(_ERRORS, _plain)
    closed = sys.stdout is None
    _open_closed_descriptors()
    output = StandardOutput()
    sys.stderr = _robust(sys.stderr, 2, StandardOutput())
    if closed:  # before any work, which could not be printed
        raise UsageError("standard output is closed: give it a place, such as > run.txt")
    sys.stdout = _robust(sys.stdout, 1, output)
    return output


def _open_closed_descriptors() -> None:
    """Keep files that are opened later from becoming standard input, output or error."""
    for number in range(3):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _robust(stream: TextIO | None, descriptor: int, output: StandardOutput) -> TextIO:
    """Return a stream in place of `stream`; itself where it is no file."""
    encoding, errors, buffered = "utf-8", "strict", False
    if stream is not None:
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):
            return stream
        stream.flush()
        encoding = stream.encoding or encoding
        errors = stream.errors or errors
        buffered = not stream.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(descriptor, output)),
        encoding=encoding,
        errors=_ERRORS if errors in ("strict", "backslashreplace", "surrogateescape") else errors,
        line_buffering=not buffered or descriptor == 2,
    )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding does not have in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    escaped = (_IN_ASCII.get(one) or one.encode("ascii", "backslashreplace").decode()
               for one in missing)  # fmt: skip
    return "".join(escaped), error.end
