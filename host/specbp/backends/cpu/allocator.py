"""How the C library hands out memory, set so that training pays neither for faults nor locks."""

from __future__ import annotations

import ctypes
import sys

_M_MXFAST = 1
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGEST = 2**31 - 1
_ARENAS = 1024
"""More than there are engines in a session: threads only begin to share them when there are none
left."""


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of giving it back, for each thread apart.

    By default glibc takes large tensors from the system and returns them every time, and the page
    faults of the next use cost a fifth of a training step. Engines that share an arena wait for its
    lock some fifty times in a step of a small network, a sixth of its time. And small chunks put
    aside are gathered up whenever a large one is freed, which costs more than not having them.

    All arms of a comparison run in one process, so this serves them alike. Elsewhere than on glibc
    it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, _ARENAS)
    mallopt(_M_MXFAST, 0)
    mallopt(_M_MMAP_THRESHOLD, _LARGEST)
    mallopt(_M_TRIM_THRESHOLD, _LARGEST)
