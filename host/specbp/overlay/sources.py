"""Where the hardware's sources are: in the wheel beside this file, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "hardware"

HARDWARE = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[3] / "overlays" / "specbp"
"""The folder with `rtl/`, `sim/`, `generated/` and `specbp.rdl`."""


def rtl_files() -> list[Path]:
    """Return the SystemVerilog sources, packages first: the order in which tools read them."""
    files = sorted([*(HARDWARE / "generated").glob("*.sv"), *(HARDWARE / "rtl").glob("*.sv")])
    return sorted(files, key=lambda path: not path.name.endswith("_pkg.sv"))
