"""Compiling once: a C++ compiler, and the folder where what it made is kept.

A file is made once under a lock, in a temporary folder, and appears by one rename with its
checksum: a build that is killed leaves nothing half done, and damage is noticed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from specbp import durable
from specbp.errors import SpecbpError

_BUILD = ".build-"
"""How the folders begin in which something is being made."""


class ToolError(SpecbpError):
    """A tool is missing, or failed."""


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler.

    Attributes:
        command: what to put before its arguments.
        version: the first line of what ``--version`` says.
    """

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Return a C++ compiler: ``$CXX``, else g++ or clang++, else the one in PyPI's `ziglang`.

    Raises:
        ToolError: there is none.
    """
    given = os.environ.get("CXX", "").split()
    for candidate in (given, ["g++"], ["clang++"]):
        if candidate and shutil.which(candidate[0]):
            return _compiler(candidate)
    if importlib.util.find_spec("ziglang"):
        return _compiler([sys.executable, "-m", "ziglang", "c++"])
    raise ToolError("a C++ compiler is missing: install g++, or pip install ziglang")


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a tool and return its output.

    Raises:
        ToolError: it could not be run or failed; the message holds what it said.
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ToolError(f"{' '.join(command[:4])} ... failed:\n{done.stdout.strip()}")
    return done.stdout


def processor() -> str:
    """Return what tells processors apart that -march=native compiles differently for."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = ("model name", "flags", "Features", "CPU part")
    said = {line for line in lines if line.startswith(named)}
    return " ".join([platform.machine(), *sorted(said)])


def cache_folder() -> Path:
    """Return the folder for built models: ``$SPECBP_CACHE``, else in the user's cache folder.

    Raises:
        ToolError: the user has no home folder.
    """
    given = os.environ.get("SPECBP_CACHE")
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specbp"
    except RuntimeError as error:
        raise ToolError(
            "there is no home folder to keep built models in: set SPECBP_CACHE to a folder"
        ) from error


def _require_writable(cache: Path) -> None:
    """Make the folder for built models.

    Raises:
        ToolError: it cannot be written.
    """
    try:
        durable.make_folder(cache)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        raise ToolError(
            f"{cache}: built models cannot be kept there: {error.strerror}: set SPECBP_CACHE to a "
            "folder that can be written"
        ) from error


def cached(name: str, make: Callable[[Path], Path]) -> Path:
    """Return the file `name` of the cache, as it was made; what is damaged is made again.

    What builds that were killed left behind is deleted before something is made.

    Args:
        name: name of the file.
        make: makes the file in the folder it is given, and returns its path.
    """
    cache = cache_folder()
    entry = cache / Path(name).stem
    if durable.is_whole(entry):
        return entry / name
    _require_writable(cache)
    with FileLock(_lock_file(cache, entry.name)):
        if not durable.is_whole(entry):
            _delete_killed_builds(cache)
            build = cache / f"{_BUILD}{entry.name}"
            shutil.rmtree(build, ignore_errors=True)
            try:
                (build / "made").mkdir(parents=True)
                (build / "entry").mkdir()
                make(build / "made").replace(build / "entry" / name)
                durable.seal_folder(build / "entry")
                durable.publish(build / "entry", entry)
            finally:
                shutil.rmtree(build, ignore_errors=True)
    return entry / name


def _delete_killed_builds(cache: Path) -> None:
    """Delete the folders of builds that nobody makes any more: their locks are free."""
    for build in cache.glob(f"{_BUILD}*"):
        lock = _lock_file(cache, build.name.removeprefix(_BUILD))
        with suppress(Timeout), FileLock(lock, timeout=0):
            shutil.rmtree(build, ignore_errors=True)


def _lock_file(cache: Path, name: str) -> Path:
    """Return the lock of whoever makes the entry `name` of the cache."""
    return cache / f".{name}.lock"


def _compiler(command: Sequence[str]) -> Compiler:
    return Compiler(tuple(command), run([*command, "--version"]).splitlines()[0])
