"""Where a number came from: the machine, the versions and the commit."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from specbp.cores import available_cores


@cache
def provenance() -> dict[str, Any]:
    """Return the columns of the frame `runs` that say where a row came from."""
    commit = _git("rev-parse", "HEAD")
    return {
        "specbp_version": installed_version("specbp"),
        "git_commit": commit,
        "git_dirty": None if commit is None else bool(_git("status", "--porcelain")),
        "python_version": platform.python_version(),
        "torch_version": installed_version("torch"),
        "numpy_version": installed_version("numpy"),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": available_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


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
