from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specbp.datasets import cifar
from specbp.datasets.cifar import CifarSource
from specbp.errors import UsageError

WritePickle = Callable[[Path, dict[bytes, object]], str]

SOURCES = [cifar.CIFAR10, cifar.CIFAR100, cifar.CIFAR100_COARSE]
by_name = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def write_set(root: Path, write_pickle: WritePickle, source: CifarSource) -> CifarSource:
    """Write two samples per file, labelled 10, 11, 20, 21, ...; return a source to match."""
    checksums = {}
    for number, name in enumerate((*source.train, *source.test), start=1):
        labels: list[object] = [10 * number, 10 * number + 1]
        rows = np.full((2, 3072), number, np.uint8)
        rows[1] = np.arange(3072) // 16
        entries: dict[bytes, object] = {
            b"batch_label": b"a batch",
            b"data": rows,
            b"filenames": [b"a.png", b"b.png"],
            source.label_key: labels,
        }
        checksums[name] = write_pickle(root / source.folder / name, entries)
    return replace(source, checksums=checksums)


@by_name
def test_read_gives_both_halves(
    tmp_path: Path, write_pickle: WritePickle, source: CifarSource
) -> None:
    train, test = cifar.read(tmp_path, write_set(tmp_path, write_pickle, source))
    numbers = range(1, len(source.train) + 1)
    assert train.labels.tolist() == [10 * number + i for number in numbers for i in (0, 1)]
    assert test.labels.tolist() == [10 * (numbers[-1] + 1), 10 * (numbers[-1] + 1) + 1]
    assert train.images[::2, 0, 0, 0].tolist() == list(numbers)
    for samples in (train, test):
        assert samples.images.dtype == torch.uint8
        assert samples.labels.dtype == torch.int64
        assert samples.images.shape[1:] == (3, 32, 32)


def test_a_row_is_red_then_green_then_blue_line_by_line(
    tmp_path: Path, write_pickle: WritePickle
) -> None:
    train, _ = cifar.read(tmp_path, write_set(tmp_path, write_pickle, cifar.CIFAR100))
    image = train.images[1]  # byte i of its row is i // 16
    assert image[:, 0, 0].tolist() == [0, 64, 128]
    assert image[0, :, 0].tolist() == list(range(0, 64, 2))
    assert image[0, 0, :].tolist() == [0] * 16 + [1] * 16


def test_fine_and_coarse_labels_come_from_the_same_files(
    tmp_path: Path, write_pickle: WritePickle
) -> None:
    assert cifar.CIFAR100_COARSE.checksums == cifar.CIFAR100.checksums
    checksums = {
        name: write_pickle(
            tmp_path / cifar.CIFAR100.folder / name,
            {b"data": np.zeros((1, 3072), np.uint8), b"fine_labels": [19], b"coarse_labels": [11]},
        )
        for name in ("train", "test")
    }
    fine, coarse = (
        cifar.read(tmp_path, replace(source, checksums=checksums)).train.labels.tolist()
        for source in (cifar.CIFAR100, cifar.CIFAR100_COARSE)
    )
    assert (fine, coarse) == ([19], [11])


@pytest.mark.parametrize(
    "function", ["posix\nsystem", "builtins\neval", "__builtin__\neval", "numpy\nload"]
)
def test_a_pickle_can_call_nothing_but_array_construction(function: str) -> None:
    call = b"\x80\x02c" + function.encode() + b"\n(T\x01\x00\x00\x001tR."
    with pytest.raises(pickle.UnpicklingError, match=f"{function.split()[1]} is not admitted"):
        cifar.unpickle(call)


def test_a_dotted_name_does_not_reach_into_what_is_admitted() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"ndarray\.tofile is not admitted"):
        cifar.unpickle(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")


@by_name
def test_every_file_is_checked_before_it_is_unpickled(
    tmp_path: Path, write_pickle: WritePickle, source: CifarSource
) -> None:
    small = write_set(tmp_path, write_pickle, source)
    for name in small.checksums:
        path = tmp_path / source.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(UsageError) as caught:
            cifar.read(tmp_path, small)
        assert str(caught.value).startswith(
            f"{path}: corrupt or cut short: expected md5 {small.checksums[name]}, found "
        )
        assert "\n" not in str(caught.value)
        path.write_bytes(whole)


@by_name
def test_a_missing_set_is_one_line_with_files_place_and_cure(
    tmp_path: Path, source: CifarSource
) -> None:
    with pytest.raises(UsageError) as caught:
        cifar.read(tmp_path, source)
    message = str(caught.value)
    files = ", ".join((*source.train, *source.test))
    assert message.startswith(f"{source.name}: no {files} in {tmp_path / source.folder}: ")
    assert f"https://www.cs.toronto.edu/~kriz/cifar-10{'0' * ('100' in source.name)}-" in message
    assert f"tar xz -C {tmp_path}`" in message
    assert "\n" not in message


@by_name
def test_every_file_has_a_checksum(source: CifarSource) -> None:
    assert set(source.checksums) == {*source.train, *source.test}
    assert len(set(source.checksums.values())) == len(source.checksums)
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in source.checksums.values())
