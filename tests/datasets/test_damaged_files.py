"""Damaged data files with the right checksum: read, or refused in one line; nothing is run.

The official checksums are md5, for which files can be made; so the readers take nothing on trust.
`bench/test_fuzzing.py` does the same for longer.
"""

from __future__ import annotations

import gzip
import hashlib
import pickle
import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specbp.datasets import cifar, idx
from specbp.errors import UsageError
from tests.datasets.conftest import WriteIdx, WritePickle
from tests.fuzzing import mutated, nothing_runs, within

OPCODES = [
    b"R", b"b", b"c__builtin__\neval\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"\x81", b"\x93",
    b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f", b"\x8a\xff", b"\x8b\xff\xff\xff\x7f", b"0", b"2",
    b"(", b"t", b"e", b"u", b"s", b"Pid\n", b"Q", b"\x82\x01", b"iposix\nsystem\n", b"o", b"}",
]  # fmt: skip
"""Of pickles: calls, states, memos at far places, long numbers, persistent and registered names."""


class IdxFiles:
    """A small data set of IDX files, of which one is replaced."""

    def __init__(self, root: Path, write_idx: WriteIdx, suffix: str) -> None:
        self.root, self.folder = root, root / idx.MNIST.folder
        arrays = [np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.uint8)] * 2
        names = [name + suffix for name in idx._NAMES]
        checksums = {
            name: write_idx(self.folder / name, array)
            for name, array in zip(names, arrays, strict=True)
        }
        self._source = replace(idx.MNIST, checksums=checksums)
        self.names = names

    def read(self, name: str, content: bytes) -> object:
        """Read the set with `content` in the file `name`, and its checksum right."""
        (self.folder / name).write_bytes(content)
        checksums = {**self._source.checksums, name: hashlib.md5(content).hexdigest()}
        return idx.read(self.root, replace(self._source, checksums=checksums))


class CifarFiles:
    """A small data set of CIFAR files, of which one is replaced."""

    def __init__(self, root: Path, write_pickle: WritePickle) -> None:
        self.root, self.folder = root, root / cifar.CIFAR100.folder
        entries: dict[bytes, object] = {
            b"data": np.zeros((2, 3072), np.uint8),
            b"fine_labels": [1, 2],
        }
        self.names = ["train", "test"]
        checksums = {name: write_pickle(self.folder / name, entries) for name in self.names}
        self._source = replace(cifar.CIFAR100, checksums=checksums)

    def read(self, name: str, content: bytes) -> object:
        """Read the set with `content` in the file `name`, and its checksum right."""
        (self.folder / name).write_bytes(content)
        checksums = {**self._source.checksums, name: hashlib.md5(content).hexdigest()}
        return cifar.read(self.root, replace(self._source, checksums=checksums))


def read_or_refused(files: IdxFiles | CifarFiles, name: str, content: bytes) -> bool:
    """Return whether `content` was refused; fail at anything but that or reading it."""
    try:
        with nothing_runs():
            within(10.0, lambda: files.read(name, content))
        return False
    except UsageError as error:
        assert "\n" not in str(error) and str(files.folder / name) in str(error)
        return True


def fuzz(files: IdxFiles | CifarFiles, number: int, seed: int = 0) -> int:
    """Return how many of `number` mutations were refused."""
    name = files.names[0]
    whole = (files.folder / name).read_bytes()
    source = random.Random(seed)
    refused = 0
    for _ in range(number):
        content = mutated(source, whole, OPCODES if isinstance(files, CifarFiles) else ())
        refused += read_or_refused(files, name, content)
    return refused


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path: Path, write_idx: WriteIdx, suffix: str) -> None:
    assert fuzz(IdxFiles(tmp_path, write_idx, suffix), 300) > 200


def test_cifar_files(tmp_path: Path, write_pickle: WritePickle) -> None:
    assert fuzz(CifarFiles(tmp_path, write_pickle), 1000) > 500


def test_a_gzip_bomb_is_refused(
    tmp_path: Path, write_idx: WriteIdx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx, "MOST_BYTES", 1 << 20)
    files = IdxFiles(tmp_path, write_idx, ".gz")
    shape = 2, 1024, 1024
    bomb = gzip.compress(bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape) + bytes(2 << 20))
    assert read_or_refused(files, files.names[0], bomb)


def _array(shape: bytes, content: bytes, kind: bytes = b"u1") -> bytes:
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01" + shape
        + b"cnumpy\ndtype\n(U" + bytes([len(kind)]) + kind + b"K\x00K\x01tR(K\x03U\x01|NNNJ"
        + b"\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", len(content))
        + content + b"tb"
    )  # fmt: skip


def _batch(data: bytes, labels: bytes = b"](K\x01K\x02e") -> bytes:
    return b"\x80\x02}(U\x04data" + data + b"U\x0bfine_labels" + labels + b"u."


TWO = _array(b"K\x02M\x00\x0c\x86", bytes(6144))
HOSTILE = {
    "a memo at a far place": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "an array larger than memory": b"\x80\x02cnumpy\nndarray\n\x8a\x06" + b"\x7f" * 6 + b"\x85R.",
    "an array of objects": _batch(_array(b"K\x02M\x00\x0c\x86", bytes(6144), b"O8")),
    "an array of another size": _batch(_array(b"K\x02M\x00\x0c\x86", bytes(10))),
    "a negative shape": _batch(_array(b"J\xfe\xff\xff\xffJ\x00\xf4\xff\xff\x86", bytes(6144))),
    "rows of another length": _batch(_array(b"K\x02K\x20\x86", bytes(64))),
    "no images": b"\x80\x02}U\x0bfine_labels]s.",
    "no labels": b"\x80\x02}U\x04data" + TWO + b"s.",
    "labels of another kind": _batch(TWO, b"](G?\xf0\x00\x00\x00\x00\x00\x00U\x01xe"),
    "a label too many": _batch(TWO, b"](K\x01K\x02K\x03e"),
    "a negative label": _batch(TWO, b"](K\x01J\xff\xff\xff\xffe"),
    "a label beyond the classes": _batch(TWO, b"](K\x01K\x64e"),
    "a list": b"\x80\x02].",
    "a string": b"\x80\x02U\x01x.",
    "nothing": b"",
    "a tuple in itself": b"\x80\x02]q\x00h\x00a.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles(tmp_path: Path, write_pickle: WritePickle, content: bytes) -> None:
    files = CifarFiles(tmp_path, write_pickle)
    assert read_or_refused(files, "train", content)


def test_the_hostile_ones_are_near_a_good_one(tmp_path: Path, write_pickle: WritePickle) -> None:
    files = CifarFiles(tmp_path, write_pickle)
    split = files.read("train", _batch(TWO))
    assert isinstance(split, cifar.Split)
    assert split.train.labels.tolist() == [1, 2]


def test_arrays_by_columns_are_read_as_numpy_reads_them() -> None:
    array = np.asfortranarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    content = pickle.dumps(array, protocol=2).replace(b"numpy._core", b"numpy.core")
    if b"_codecs" in content:
        content = _array(b"K\x03K\x04\x86", array.tobytes("F")).replace(b"\x89T", b"\x88T")
        content = b"\x80\x02" + content + b"."
    assert torch.equal(torch.from_numpy(cifar.unpickle(content).copy()), torch.from_numpy(array))
