"""Files and folders that survive a power cut, and whose damage is noticed.

What is *stored* is on the disk when the call returns: the content first, then its name, then the
folder's own entry. A stored folder carries the checksums of its files, in the form of `sha256sum`,
and appears by one rename; a sealed file ends with its own checksum.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

SUMS = "SHA256SUMS"
"""Name of the file that holds the checksums of the other files of its folder."""
_SEAL = b"sha256:"
_SEAL_SIZE = len(_SEAL) + 64
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^/\0]+)")
_DISCARDED = ".discarded-"


class DamagedError(Exception):
    """What was read back is not what was stored; the message names the file and the reason."""


class HalfMadeError(DamagedError):
    """A file is missing or empty: whoever stored it did not get to the end."""


def write(path: Path, content: bytes | memoryview) -> None:
    """Store a file: whoever reads it finds the old content or the new one, whole.

    Args:
        path: the file; its folder exists.
        content: what it will hold.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    _write_new(temporary, content)
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_folder(folder: Path, files: Mapping[str, bytes | memoryview]) -> None:
    """Make a folder with `files` and their checksums, all of it on the disk.

    Args:
        folder: where to make it; `publish` then gives it its name.
        files: content by plain name.
    """
    make_folder(folder)
    for name, content in files.items():
        _write_new(folder / name, content)
    _write_new(folder / SUMS, _sums({name: sha256(one) for name, one in files.items()}))
    sync_folder(folder)


def seal_folder(folder: Path) -> None:
    """Bring the files of a folder that somebody else filled to the disk, with their checksums."""
    sums = {}
    for path in sorted(folder.iterdir()):
        _sync(path)
        sums[path.name] = sha256(path.read_bytes())
    _write_new(folder / SUMS, _sums(sums))
    sync_folder(folder)


def publish(temporary: Path, final: Path) -> None:
    """Give a folder on the disk its name, in place of what had that name."""
    discard(final)
    os.replace(temporary, final)
    sync_folder(final.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and the folders above it, where they are missing."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        os.mkdir(folder)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    sync_folder(folder.parent)


def discard(path: Path) -> None:
    """Remove a file or folder, if it is there: nobody finds a part of it."""
    if not os.path.lexists(path):
        return
    aside = path.with_name(f"{_DISCARDED}{path.name}")
    _delete(aside)
    os.replace(path, aside)
    sync_folder(path.parent)
    _delete(aside)


def sweep(folder: Path) -> None:
    """Delete what a killed `write`, `publish` or `discard` left in a folder, under hidden names.

    Nobody else may write there at the same time.
    """
    if folder.is_dir():
        for path in sorted(folder.glob(".*")):
            _delete(path)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of the files of a stored folder, by name.

    Raises:
        HalfMadeError: a file is missing or empty.
        DamagedError: a file is not as it was stored, or cannot be read.
    """
    sums = _read_sums(folder)
    contents = {}
    for name, expected in sums.items():
        content = _read(folder / name)
        if sha256(content) != expected:
            if not content:
                raise HalfMadeError(f"{folder / name}: empty")
            raise DamagedError(f"{folder / name}: damaged: its checksum is not that in {SUMS}")
        contents[name] = content
    return contents


def is_whole(folder: Path) -> bool:
    """Return whether a stored folder is there, with all of its files as they were stored."""
    try:
        read_folder(folder)
    except DamagedError:
        return False
    return True


def sealed(content: bytes) -> bytes:
    """Return `content` with its checksum at its end."""
    return content + _SEAL + sha256(content).encode()


def read_sealed(path: Path) -> bytes:
    """Return the content of a file that was written with its checksum at its end.

    Raises:
        HalfMadeError: it is missing or empty.
        DamagedError: it is not as it was stored, or cannot be read.
    """
    whole = _read(path)
    if not whole:
        raise HalfMadeError(f"{path}: empty")
    content, seal = whole[:-_SEAL_SIZE], whole[-_SEAL_SIZE:]
    if seal != _SEAL + sha256(content).encode():
        raise DamagedError(f"{path}: damaged: its checksum is not that of its content")
    return content


def read_checked(path: Path, expected: str) -> bytes:
    """Return the content of a file whose SHA-256 is stored elsewhere.

    Raises:
        HalfMadeError: it is missing.
        DamagedError: it is not as it was stored, or cannot be read.
    """
    content = _read(path)
    if sha256(content) != expected:
        raise DamagedError(f"{path}: damaged: its checksum is not the stored one")
    return content


def sha256(content: bytes | memoryview) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring the entries of a folder to the disk."""
    _sync(folder)


def _write_new(path: Path, content: bytes | memoryview) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        # A file system that cannot sync a folder keeps its entries in order, or cannot be helped.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for one in sorted(path.iterdir()):
            _delete(one)
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HalfMadeError(f"{path}: missing") from None
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read: {error.strerror}") from error


def _sums(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()


def _read_sums(folder: Path) -> dict[str, str]:
    content = _read(folder / SUMS)
    if not content:
        raise HalfMadeError(f"{folder / SUMS}: empty")
    lines = content.decode("utf-8", "replace").splitlines()
    matches = [_SUM_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in matches if match}
    if len(sums) != len(lines) or not content.endswith(b"\n"):
        raise DamagedError(f"{folder / SUMS}: damaged")
    return sums
