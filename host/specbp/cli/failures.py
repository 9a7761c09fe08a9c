"""What ends a command other than its end: one line that says why, and an exit code."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from specbp.compiling import cache_folder
from specbp.errors import SpecbpError, StoppedError
from specbp.provenance import installed_version

USAGE = 2
AGAIN = "then run the same command again: what is done is kept"
OS_CURES = {
    errno.ENOSPC: f"free some space, {AGAIN}",
    errno.EDQUOT: f"free some space, {AGAIN}",
    errno.EFBIG: f"raise the largest size of a file (ulimit -f), {AGAIN}",
    errno.EROFS: "use a folder that can be written",
    errno.EACCES: "use a folder that can be written, or get the permission",
    errno.EPERM: "use a folder that can be written, or get the permission",
    errno.EMFILE: f"raise the number of open files (ulimit -n), {AGAIN}",
    errno.ENFILE: f"close other programs, {AGAIN}",
    errno.ENOMEM: f"close other programs or ask for less, {AGAIN}",
    errno.EIO: f"look after the disk, {AGAIN}",
    errno.ENAMETOOLONG: "use a shorter name",
}
"""What to do about failures of the operating system that are no fault of ours."""
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")
"""What PyTorch says, as a RuntimeError, where there is not enough memory."""


class CommandEnd(NamedTuple):
    """How a command ends.

    Attributes:
        line: what to say on standard error.
        exit_code: exit code of the process.
    """

    line: str
    exit_code: int


def failure_of(error: BaseException) -> CommandEnd:
    """Return how a command ends that `error` ends; what nobody foresaw is logged."""
    if isinstance(error, KeyboardInterrupt):
        return CommandEnd(
            "stopped before its end: run the same command again", StoppedError.exit_code
        )
    if isinstance(error, SpecbpError):
        return CommandEnd(_one_line(str(error)), error.exit_code)
    if hasattr(error, "format_message"):
        return _wrong_usage(error)
    if isinstance(error, OSError) and error.errno in OS_CURES:
        place = f"{error.filename}: " if error.filename else ""
        return CommandEnd(
            f"{place}{error.strerror}: {OS_CURES[error.errno]}", SpecbpError.exit_code
        )
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)
    ):
        words = f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0]
        cure = "name a smaller batch, model or data set, or close other programs"
        return CommandEnd(f"not enough memory ({words}): {cure}", SpecbpError.exit_code)
    return CommandEnd(_unforeseen(error), SpecbpError.exit_code)


def _wrong_usage(error: BaseException) -> CommandEnd:
    """Return what Typer found wrong with the words of a command line."""
    words = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "specbp"
    verb = command.partition(" ")[2]
    where = f"{verb}: " if verb else ""
    # Typer prints the help itself where no command was named, and has no words then.
    return CommandEnd(f"{where}{words or 'name a command'}: see {command} --help", USAGE)


def _one_line(message: str) -> str:
    """Return a message of several lines, such as a compiler's, as its ends and where it is kept."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) < 2:
        return message.strip()
    log = _write_log(message)
    where = f" (all of it: {log})" if log else ""
    return f"{lines[0]} {lines[-1]}{where}"


def _unforeseen(error: BaseException) -> str:
    log = _write_log("".join(traceback.format_exception(error)))
    words = " ".join(f"{type(error).__name__}: {error}".split())
    if log is None:
        return f"unforeseen {words}: no folder can be written to keep its traceback in"
    return f"unforeseen {words}: please report it with its traceback, {log}"


def _write_log(text: str) -> Path | None:
    """Keep a text, with the command it is of, where logs go; return None where nothing can be."""
    about = (
        f"command: {sys.argv}\nspecbp {installed_version('specbp')}, "
        f"Python {platform.python_version()}, torch {installed_version('torch')}, "
        f"{platform.platform()}\n\n"
    )
    whole = about + text
    return _kept(lambda: cache_folder() / "logs", whole) or _kept(_temporary_folder, whole)


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir())


def _kept(place: Callable[[], Path], text: str) -> Path | None:
    """Return the new file that keeps a text in a folder, None where none can."""
    try:
        folder = place()
        folder.mkdir(parents=True, exist_ok=True)
        start = f"specbp-{time.strftime('%Y%m%d-%H%M%S')}-"
        number, name = tempfile.mkstemp(".log", start, folder)
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, SpecbpError):
        return None
    return Path(name)
