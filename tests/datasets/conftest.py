"""Small files in the formats of the real data sets, and where the real ones are."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

WriteIdx = Callable[[Path, npt.NDArray[np.uint8]], str]
WritePickle = Callable[[Path, dict[bytes, object]], str]


@pytest.fixture
def real_root() -> Path:
    """The folder the real data sets are in, if they are there."""
    repository = Path(__file__).parents[2]
    return Path(os.environ.get("SPECBP_DATA") or repository / "data")


@pytest.fixture
def write_idx() -> WriteIdx:
    """Write an array as an IDX file, gzipped if its name says so; return the md5 of the file."""

    def write(path: Path, array: npt.NDArray[np.uint8]) -> str:
        content = bytes((0, 0, 8, array.ndim))
        content += struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        return _write(path, gzip.compress(content) if path.suffix == ".gz" else content)

    return write


@pytest.fixture
def write_pickle() -> WritePickle:
    """Write a dictionary the way Python 2 pickled the CIFAR batches; return the file's md5."""

    def write(path: Path, entries: dict[bytes, object]) -> str:
        items = b"".join(_opcodes(key) + _opcodes(value) for key, value in entries.items())
        return _write(path, b"\x80\x02}(" + items + b"u.")

    return write


def _write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.md5(content).hexdigest()


def _opcodes(value: object) -> bytes:
    """Pickle opcodes of protocol 2 for what the CIFAR batches hold.

    Python 3 cannot write these: its protocol 2 turns bytes into a call of ``_codecs.encode``.
    """
    if isinstance(value, bytes):
        return b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if value is None:
        return b"N"
    if isinstance(value, list):
        return b"](" + b"".join(map(_opcodes, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_opcodes, value)) + b"t"
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        empty = b"(cnumpy\nndarray\n" + _opcodes((0,)) + _opcodes(b"b") + b"t"
        dtype = b"cnumpy\ndtype\n" + _opcodes((b"u1", 0, 1)) + b"R"
        dtype += _opcodes((3, b"|", None, None, None, -1, -1, 0)) + b"b"
        state = b"(" + _opcodes(1) + _opcodes(value.shape) + dtype
        state += _opcodes(False) + _opcodes(value.tobytes()) + b"t"
        return b"cnumpy.core.multiarray\n_reconstruct\n" + empty + b"R" + state + b"b"
    raise TypeError(type(value))
