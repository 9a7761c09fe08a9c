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

from specbp.errors import SpecbpError
from specbp.onboard.build import Build, open_build, sha256
from specbp.onboard.lock import StateFolder
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


def board(root: Path, state: Path) -> dict[str, Any]:
    """Return all that `specbp board doctor` shows; nothing is programmed, no register read.

    Args:
        root: folder of specbp in the account.
        state: folder of what all accounts of this board share.
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
        "loaded": _loaded(root, state),
        "current": _name(root / "current"),
        "previous": _name(root / "previous"),
        "versions": sorted(path.name for path in (root / "versions").glob("*")),
    }


def remember_loaded(state: StateFolder, build: Build) -> None:
    """Write down which build was programmed, for `board`."""
    folder = build.folder.resolve()
    loaded = {"version": folder.name, "bitstream": str(folder / build.bitstream.name)}
    state.replace(LOADED, json.dumps(loaded).encode())


def _loaded(root: Path, state: Path) -> dict[str, Any]:
    """Return which bitstream is loaded, and whether one of our manifests has its hash."""
    path = _pynqs_bitstream() or _remembered(state / LOADED)
    if path is None:
        return {"bitstream": None, "sha256": None, "known_as": None}
    found = sha256(Path(path)) if Path(path).is_file() else None
    known = [
        folder.name
        for folder in sorted((root / "versions").glob("*"))
        if found in _files_of(folder).values()
    ]
    return {"bitstream": path, "sha256": found, "known_as": known[0] if known else None}


def _remembered(path: Path) -> str | None:
    """Return what `remember_loaded` wrote; None where nothing was programmed since the start."""
    try:
        return str(json.loads(path.read_text())["bitstream"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files_of(folder: Path) -> dict[str, str]:
    """Return the hashes that the manifest in `folder` has; none where it is damaged."""
    try:
        return dict(open_build(folder).manifest["files"])
    except SpecbpError:
        return {}


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
