"""One run per board at a time, and the folder in which the board's accounts agree on that.

The runner is root. What it writes lies in a folder that only root can change, so that no account
of the board can put a link there and have root write through it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from specbp.errors import SpecbpError
from specbp.onboard.untrusted import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = Path("/run/specbp")
"""Emptied when the board starts, as its FPGA is."""
LOCK = "lock"
PAUSE_S = 0.1
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC


class BusyError(SpecbpError):
    """Someone else uses the board."""


class UnsafeFolderError(SpecbpError):
    """Others could change what is written here."""


class StateFolder:
    """A folder that belongs to who runs this, and that nobody else can change.

    Args:
        path: the folder, made where it is missing; the one it lies in must be there.

    Raises:
        UnsafeFolderError: it is a link, or someone else's, or others may write there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o755)
        except FileExistsError:
            pass
        except OSError as error:
            raise UnsafeFolderError(f"{path}: cannot be made: {error.strerror}") from error
        try:
            self._folder = os.open(str(path), os.O_RDONLY | os.O_DIRECTORY | _FILE)
        except OSError as error:
            raise UnsafeFolderError(
                f"{path}: no folder of its own ({error.strerror}): delete it"
            ) from error
        about = os.fstat(self._folder)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            self.close()
            raise UnsafeFolderError(
                f"{path}: others than its user can write there: delete it, and see who made it"
            )

    def __enter__(self) -> StateFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._folder)

    def open(self, name: str, flags: int, mode: int) -> int:
        """Return a descriptor of an ordinary file in this folder, opened with `flags`.

        Raises:
            UnsafeFolderError: it is a link, or no ordinary file.
        """
        try:
            descriptor = os.open(name, flags | _FILE, mode, dir_fd=self._folder)
        except OSError as error:
            raise UnsafeFolderError(
                f"{self.path}/{name}: cannot be opened ({error.strerror}): delete it"
            ) from error
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            os.close(descriptor)
            raise UnsafeFolderError(f"{self.path}/{name}: no file of its own: delete it")
        os.fchmod(descriptor, mode)
        return descriptor

    def replace(self, name: str, content: bytes) -> None:
        """Write a file that all may read, whole or not at all."""
        new = name + ".new"
        descriptor = self.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)


@contextmanager
def board_lock(folder: StateFolder, who: str, wait_s: float) -> Iterator[None]:
    """Hold the board while in here; the system takes it back when the process ends.

    Args:
        folder: where the lock file is; it stays there, and only its user can read it.
        who: shown to those who wait.
        wait_s: how long to wait for who has it.

    Raises:
        BusyError: it did not become free.
        UnsafeFolderError: the lock file is a link.
    """
    descriptor = folder.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, wait_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, printable(who, 400).encode(), 0)
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
                    f"the board is in use by {printable(holder) or 'someone'}: wait for it to "
                    "end, or stop it"
                ) from None
        time.sleep(PAUSE_S)
