"""Where a number came from: the machine, the versions, the commit and the sources."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from specbp.cores import available_cores
from specbp.overlay import sources

ORIGIN = {
    "source_sha256": "specbp",
    "torch_version": "PyTorch",
    "numpy_version": "NumPy",
    "cpu": "processor",
    "omp_wait_policy": "OMP_WAIT_POLICY",
}
"""The columns of `runs` in which rows agree that were measured by the same means, and their names.

A training that is gone on with after one of them changed would be a mix of two.
"""
VERSIONS = ("source_sha256", "torch_version", "numpy_version")
"""Those of `ORIGIN` that all machines of a cluster have in common."""
_PACKAGE = Path(__file__).parent
_SHOWS_ONLY = ("api", "cli", "doctor", "report")
"""Folders of the package that no result depends on."""


def provenance() -> dict[str, Any]:
    """Return the columns of the frame `runs` that say where a row came from."""
    return _provenance(sources.HARDWARE)


@cache
def _provenance(hardware: Path) -> dict[str, Any]:
    commit = _git("rev-parse", "HEAD")
    return {
        "specbp_version": installed_version("specbp"),
        "git_commit": commit,
        "git_dirty": None if commit is None else bool(_git("status", "--porcelain")),
        "source_sha256": _source_sha256(hardware),
        "python_version": platform.python_version(),
        "torch_version": installed_version("torch"),
        "numpy_version": installed_version("numpy"),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": available_cores(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "").strip().lower() or None,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def origin() -> dict[str, Any]:
    """Return by what means a row would be measured now, and the commit that names them."""
    now = provenance()
    return {name: now[name] for name in (*ORIGIN, "specbp_version", "git_commit", "git_dirty")}


def process_name() -> str:
    """Return what tells this process from all others of this machine."""
    process = psutil.Process()
    return f"{process.pid} of {process.create_time():.2f}"


def difference(row: Mapping[str, Any], columns: Collection[str] = tuple(ORIGIN)) -> str | None:
    """Return in which of `ORIGIN` a row differs from what would be measured now, in words.

    Args:
        row: row of the frame `runs`, or an `origin`.
        columns: names of the columns that are compared.
    """
    now = origin()
    words = [
        f"{ORIGIN[column]} {_version(row, column)} (now {_version(now, column)})"
        for column in columns
        if row.get(column) != now[column]
    ]
    return ", ".join(words) or None


def _version(row: Mapping[str, Any], column: str) -> str:
    if column != "source_sha256":
        return str(row.get(column))
    sources = f"sources {str(row[column])[:8]}"
    if row["git_commit"] is None:
        return f"{row['specbp_version']}, {sources}"
    # The commit alone does not say it: the hardware may be that of another folder.
    changed = " with changes" if row["git_dirty"] else ""
    return f"at commit {row['git_commit'][:10]}{changed}, {sources}"


def _source_sha256(hardware: Path) -> str:
    """Return the SHA-256 of all sources that a result depends on, by name.

    Args:
        hardware: the folder of the hardware; another one has another hash.
    """
    digest = hashlib.sha256()
    for folder, paths in ((_PACKAGE, package_sources()), (hardware, _hardware())):
        for path in sorted(paths):
            digest.update(f"\0{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def package_sources() -> list[Path]:
    """Return the sources of the package that a result depends on, Python and C++ with headers."""
    return [
        path
        for path in _PACKAGE.rglob("*")
        if path.suffix in (".py", ".cpp", ".h")
        and path.relative_to(_PACKAGE).parts[0] not in _SHOWS_ONLY
    ]


def _hardware() -> list[Path]:
    harness = (sources.HARDWARE / "sim").rglob("*.[ch]*")
    return [*sources.rtl_files(), *(path for path in harness if path.is_file())]


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Ask git about the checkout of specbp this runs in, None where there is none.

    An installed package is taken to come from the checkout in whose folder it is used.
    """
    source = Path(__file__).parent
    if "site-packages" in source.parts:
        source = Path.cwd() / "host" / "specbp"
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=source, capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _cpu_model() -> str:
    """Return the processor's name; `platform.processor` does not know it on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
