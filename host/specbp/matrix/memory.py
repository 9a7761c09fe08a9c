"""How much main memory a piece of work takes at its peak, as Linux counts it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_MIB_PER_KIB = 1 / 1024


def peak_mib(work: Callable[[], None]) -> float | None:
    """Do `work` and return by how much memory grew at its peak, MiB; None where nobody counts.

    Freed memory that the C library kept is given back before: what was there already would not
    show. It is the memory of the whole process, so that nothing else may run meanwhile.
    """
    before = None
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        with suppress(OSError):
            _CLEAR.write_text(_RESET_PEAK)
            before = _kib("VmRSS")
    work()
    peak = None if before is None else _kib("VmHWM")
    return None if before is None or peak is None else (peak - before) * _MIB_PER_KIB


def _kib(name: str) -> int | None:
    """Return an entry of the process's status."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return None
