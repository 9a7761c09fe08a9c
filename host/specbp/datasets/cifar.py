"""CIFAR-10 and CIFAR-100, python version: Python 2 pickles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from specbp.errors import UsageError

from .files import Source, locate, read_verified
from .samples import Samples, Split

IMAGE_SHAPE = (3, 32, 32)
IMAGE_BYTES = 3 * 32 * 32
MOST_CLASSES = 100


@dataclass(frozen=True)
class CifarSource(Source):
    """Where the batches of a CIFAR data set lie, and what is in them.

    Attributes:
        train: names of the files with the training images, in order.
        test: names of the files with the test images, in order.
        label_key: the entry of a file that holds the labels.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    label_key: bytes


def _fetch(archive: str) -> str:
    url = f"https://www.cs.toronto.edu/~kriz/{archive}"
    return f"mkdir -p ROOT && curl -fL {url} | tar xz -C ROOT"


# The md5 of every file is the official one, as in torchvision.
CIFAR10 = CifarSource(
    name="cifar10",
    folder="cifar-10-batches-py",
    checksums={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    fetch=_fetch("cifar-10-python.tar.gz"),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test=("test_batch",),
    label_key=b"labels",
)
CIFAR100 = CifarSource(
    name="cifar100",
    folder="cifar-100-python",
    checksums={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    fetch=_fetch("cifar-100-python.tar.gz"),
    train=("train",),
    test=("test",),
    label_key=b"fine_labels",
)
CIFAR100_COARSE = replace(CIFAR100, name="cifar100-coarse", label_key=b"coarse_labels")


def read(root: Path, source: CifarSource) -> Split:
    """Read the data set described by `source` from below the data root.

    Returns:
        Images uint8 [N, 3, 32, 32], channels red, green, blue, and labels int64 [N], in the
        order of the files.

    Raises:
        UsageError: a file is missing, is not the official one, or holds something else.
    """
    paths = locate(source, root, (*source.train, *source.test))
    batches = [_read_file(path, source) for path in paths]
    boundary = len(source.train)
    return Split(_joined(batches[:boundary]), _joined(batches[boundary:]))


class _Bytes:
    """Stands for the element type that a pickle names: unsigned bytes, and nothing else."""

    def __init__(self, name: Any, *_: Any) -> None:
        if name not in ("u1", "|u1", b"u1", b"|u1"):
            raise pickle.UnpicklingError("an array of anything but bytes is not admitted")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment: bytes have none."""


class _Array:
    """Stands for an array while a pickle builds it: numpy's own constructors take anything."""

    def __init__(self, *_: Any) -> None:
        self.array = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        try:
            _, shape, kind, by_columns, content = state
            if not isinstance(kind, _Bytes) or not isinstance(content, bytes):
                raise TypeError("not of bytes")
            if len(content) != math.prod(shape) or not all(size >= 0 for size in shape):
                raise ValueError("not of its own shape")
            flat = np.frombuffer(content, np.uint8)
            self.array = flat.reshape(shape, order="F" if by_columns else "C")
        except (ValueError, TypeError, OverflowError) as error:
            raise pickle.UnpicklingError(f"no array: {error}") from error


class _NoCall:
    """What a pickle names as the class of an array, and must not call."""

    def __init__(self, *_: Any) -> None:
        raise pickle.UnpicklingError("numpy.ndarray is not admitted as a function")


_ADMITTED: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _NoCall,
    ("numpy", "dtype"): _Bytes,
}


# The one in Python: that in C takes memory for whatever place a pickle names in its memo.
class _ArrayUnpickler(pickle._Unpickler):
    """Builds plain values and arrays of bytes; a pickle could otherwise call any function."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted") from None


def unpickle(content: bytes) -> Any:
    """Return the object in a Python 2 pickle of plain values and arrays of bytes; str as bytes.

    An array at the top, or in a dictionary or list there, is numpy's.

    Raises:
        pickle.UnpicklingError: the pickle asks for anything else, or is damaged.
    """
    try:
        found = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        # Whatever a damaged one makes of the machine that reads it.
        raise pickle.UnpicklingError(f"damaged: {type(error).__name__}: {error}") from error
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return [_plain(value) for value in found] if isinstance(found, list) else _plain(found)


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, _Array) else value


def _read_file(path: Path, source: CifarSource) -> Samples:
    """Return the images and labels of one file.

    Raises:
        UsageError: it holds something else.
    """
    content = read_verified(path, source.checksums[path.name])
    try:
        return _samples(unpickle(content), source.label_key)
    except (pickle.UnpicklingError, ValueError) as error:
        raise UsageError(f"{path}: {error}: delete it and fetch it again") from error


def _samples(batch: Any, label_key: bytes) -> Samples:
    """Return the images and labels of a batch.

    Raises:
        ValueError: it has none, or they do not belong together.
    """
    rows = batch.get(b"data") if isinstance(batch, dict) else None
    labels = batch.get(label_key) if isinstance(batch, dict) else None
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != IMAGE_BYTES:
        raise ValueError(f"no images of {IMAGE_BYTES} bytes under {b'data'!r}")
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label < MOST_CLASSES for label in labels
    ):
        raise ValueError(f"no labels from 0 to {MOST_CLASSES - 1} under {label_key!r}")
    if len(rows) != len(labels):
        raise ValueError(f"{len(rows)} images and {len(labels)} labels")
    # A row holds an image: 1024 bytes of red, then green, then blue, line by line.
    images = torch.from_numpy(np.ascontiguousarray(rows).copy()).reshape(-1, *IMAGE_SHAPE)
    return Samples(images, torch.tensor(labels, dtype=torch.int64))


def _joined(parts: list[Samples]) -> Samples:
    return Samples(
        torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
    )
