"""What a board is like: its image, its software, its space, and which overlay it has."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from specbp.onboard.build import MANIFEST, sha256
from specbp.overlay.quiet import pynq_imports

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
LOADED = "loaded.json"
RELEASE_FILES = ("/home/xilinx/REVISION", "/etc/pynq-release")


def software() -> dict[str, Any]:
    """Return versions of what the runner itself runs on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pynq": _pynq_version(),
    }


def board(root: Path) -> dict[str, Any]:
    """Return all that `specbp board doctor` shows; nothing is programmed, no register read.

    Args:
        root: folder of specbp on this board.
    """
    usage = shutil.disk_usage(str(root if root.exists() else Path.home()))
    return {
        **software(),
        "executable": sys.executable,
        "image": _image(),
        "board": os.environ.get("BOARD"),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "root": os.geteuid() == 0,
        "xrt": os.environ.get("XILINX_XRT"),
        "free_bytes": usage.free,
        "devices": _devices(),
        "clock_mhz": _clock_mhz(),
        "loaded": _loaded(root),
        "current": _name(root / "current"),
        "previous": _name(root / "previous"),
        "versions": sorted(path.name for path in (root / "versions").glob("*")),
    }


def remember_loaded(version: Path) -> None:
    """Write down which version was programmed, for `board`."""
    version = version.resolve()
    path = version.parent.parent / LOADED
    manifest = json.loads((version / MANIFEST).read_text())
    bitstream = version / manifest["bitstream"]
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps({"version": version.name, "bitstream": str(bitstream)}))
    os.replace(str(temporary), str(path))


def _loaded(root: Path) -> dict[str, Any]:
    """Return which bitstream is loaded, and whether one of our manifests has its hash."""
    path = _pynqs_bitstream()
    if path is None and (root / LOADED).exists():
        path = json.loads((root / LOADED).read_text())["bitstream"]
    if path is None:
        return {"bitstream": None, "sha256": None, "known_as": None}
    found = sha256(Path(path)) if Path(path).is_file() else None
    known = [
        manifest.parent.name
        for manifest in sorted((root / "versions").glob("*/" + MANIFEST))
        if found in json.loads(manifest.read_text())["files"].values()
    ]
    return {"bitstream": path, "sha256": found, "known_as": known[0] if known else None}


def _pynqs_bitstream() -> str | None:
    """Return what pynq itself remembers to have loaded last."""
    try:
        with pynq_imports():
            from pynq.pl_server.global_state import global_state_file_exists, load_global_state

        return str(load_global_state().bitfile_name) if global_state_file_exists() else None
    except Exception:
        # pynq before 3.0 has no such file.
        return None


def _pynq_version() -> str | None:
    return _asked(lambda pynq: str(pynq.__version__))


def _devices() -> list[str]:
    return _asked(lambda pynq: [str(device.name) for device in pynq.Device.devices]) or []


def _clock_mhz() -> float | None:
    return _asked(lambda pynq: float(pynq.Clocks.fclk0_mhz))


def _asked(ask: Callable[[Any], Result]) -> Result | None:
    """Return what pynq says; None where it cannot: what it raises, no two versions agree on."""
    try:
        with pynq_imports():
            import pynq

            return ask(pynq)
    except Exception:
        return None


def _image() -> str | None:
    for name in RELEASE_FILES:
        path = Path(name)
        if path.is_file():
            match = re.search(r"[Rr]elease\D*([\d_. -]+)", path.read_text())
            return match.group(1).strip() if match else path.read_text().strip()[:80]
    return None


def _name(link: Path) -> str | None:
    return link.resolve().name if link.is_symlink() else None
