"""One run per board at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from specbp.errors import SpecbpError

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE_S = 0.1


class BusyError(SpecbpError):
    """Someone else uses the board."""


@contextmanager
def board_lock(path: Path, who: str, wait_s: float) -> Iterator[None]:
    """Hold the board while in here; the system takes it back when the process ends.

    Args:
        path: the lock file; it stays where it is.
        who: shown to those who wait.
        wait_s: how long to wait for who has it.

    Raises:
        BusyError: it did not become free.
    """
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o666)
    with contextlib.suppress(OSError):
        # The deploying user and root share the file.
        os.fchmod(descriptor, 0o666)
    try:
        _take(descriptor, wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, who.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 400, 0).decode(errors="replace").strip()
                raise BusyError(
                    f"the board is in use by {holder or 'someone'}: wait for it to end, or stop it"
                ) from None
        time.sleep(PAUSE_S)
