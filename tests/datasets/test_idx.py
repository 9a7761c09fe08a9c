from __future__ import annotations

import gzip
import math
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.datasets import idx
from specbp.datasets.files import Source
from specbp.errors import UsageError

WriteIdx = Callable[[Path, npt.NDArray[np.uint8]], str]

TRAIN_IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
TRAIN_LABELS = np.array([3, 1, 2, 0, 255], np.uint8)
TEST_IMAGES = 200 - np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
TEST_LABELS = np.array([9, 8], np.uint8)
ARRAYS = {
    "train-images-idx3-ubyte": TRAIN_IMAGES,
    "train-labels-idx1-ubyte": TRAIN_LABELS,
    "t10k-images-idx3-ubyte": TEST_IMAGES,
    "t10k-labels-idx1-ubyte": TEST_LABELS,
}


def content(array: npt.NDArray[np.uint8]) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_set(root: Path, write_idx: WriteIdx, suffix: str) -> Source:
    """Write the small set below `root`; return its source, with the checksums of these files."""
    folder = root / "MNIST/raw"
    checksums = {
        f"{name}{suffix}": write_idx(folder / f"{name}{suffix}", array)
        for name, array in ARRAYS.items()
    }
    return replace(idx.MNIST, checksums=checksums)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple))
def test_parse_undoes_writing(shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(idx.parse(content(array), len(shape)), array)


def test_parse_reads_dimensions_of_several_bytes() -> None:
    assert idx.parse(b"\0\0\x08\x01\0\1\2\3" + bytes(0x010203), 1).shape == (0x010203,)


@pytest.mark.parametrize(
    "start", [b"\0\0\x08\x01", b"\0\0\x09\x03", b"\0\1\x08\x03", b"\x1f\x8b\x08\0", b"\0\0", b""]
)
def test_parse_refuses_another_magic_number(start: bytes) -> None:
    expected = f"expected magic number 00000803, found {start.hex()}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        idx.parse(start + content(TRAIN_IMAGES)[len(start) :] if len(start) == 4 else start, 3)


@pytest.mark.parametrize(("change", "size"), [(-1, 45), (1, 47), (-30, 16)])
def test_parse_refuses_content_of_another_size(change: int, size: int) -> None:
    whole = content(TRAIN_IMAGES) + b"?"
    with pytest.raises(ValueError, match=f"expected 46 bytes, found {size}"):
        idx.parse(whole[: len(whole) - 1 + change], 3)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_read_gives_both_halves(tmp_path: Path, write_idx: WriteIdx, suffix: str) -> None:
    train, test = idx.read(tmp_path, write_set(tmp_path, write_idx, suffix))
    for samples, images, labels in (
        (train, TRAIN_IMAGES, TRAIN_LABELS),
        (test, TEST_IMAGES, TEST_LABELS),
    ):
        assert samples.images.dtype == torch.uint8
        assert samples.labels.dtype == torch.int64
        np.testing.assert_array_equal(samples.images.numpy(), images[:, None])
        np.testing.assert_array_equal(samples.labels.numpy(), labels)


def test_read_accepts_a_mixture_of_plain_and_packed(tmp_path: Path, write_idx: WriteIdx) -> None:
    source = write_set(tmp_path, write_idx, ".gz")
    name = "train-labels-idx1-ubyte"
    plain = tmp_path / source.folder / name
    packed = plain.with_name(f"{name}.gz")
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    checksum = write_idx(plain, TRAIN_LABELS)
    train, _ = idx.read(tmp_path, replace(source, checksums={**source.checksums, name: checksum}))
    assert train.labels.tolist() == TRAIN_LABELS.tolist()


def test_read_prefers_plain_files(tmp_path: Path, write_idx: WriteIdx) -> None:
    source = write_set(tmp_path, write_idx, "")
    for name in ARRAYS:
        (tmp_path / source.folder / f"{name}.gz").write_bytes(b"half a downl")
    assert idx.read(tmp_path, source).train.labels.tolist() == TRAIN_LABELS.tolist()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ARRAYS)
def test_read_checks_every_file(
    tmp_path: Path, write_idx: WriteIdx, name: str, suffix: str
) -> None:
    source = write_set(tmp_path, write_idx, suffix)
    path = tmp_path / source.folder / f"{name}{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError) as caught:
        idx.read(tmp_path, source)
    message = str(caught.value)
    assert message.startswith(f"{path}: corrupt or cut short")
    assert source.checksums[path.name] in message
    assert "\n" not in message


def test_read_names_the_file_that_is_no_idx_file(tmp_path: Path, write_idx: WriteIdx) -> None:
    source = write_set(tmp_path, write_idx, "")
    path = tmp_path / source.folder / "t10k-images-idx3-ubyte"
    checksum = write_idx(path, TEST_LABELS)
    with pytest.raises(UsageError) as caught:
        idx.read(tmp_path, replace(source, checksums={**source.checksums, path.name: checksum}))
    assert str(caught.value) == (
        f"{path}: expected magic number 00000803, found 00000801: delete it and fetch it again"
    )


@pytest.mark.parametrize("source", [idx.MNIST, idx.FASHION_MNIST], ids=lambda source: source.name)
def test_a_missing_set_is_one_line_with_files_place_and_cure(
    tmp_path: Path, source: Source
) -> None:
    with pytest.raises(UsageError) as caught:
        idx.read(tmp_path, source)
    message = str(caught.value)
    assert message.startswith(f"{source.name}: no train-images-idx3-ubyte[.gz], ")
    assert f"t10k-labels-idx1-ubyte[.gz] in {tmp_path / source.folder}: fetch with `" in message
    assert f"--output-dir {tmp_path / source.folder} -O " in message
    assert "\n" not in message


@pytest.mark.parametrize("source", [idx.MNIST, idx.FASHION_MNIST], ids=lambda source: source.name)
def test_every_file_has_a_checksum_in_both_forms(source: Source) -> None:
    assert set(source.checksums) == {f"{name}{suffix}" for name in ARRAYS for suffix in ("", ".gz")}
    assert len(set(source.checksums.values())) == 8
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in source.checksums.values())
