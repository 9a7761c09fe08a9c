"""CIFAR-10 and CIFAR-100, python version: Python 2 pickles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .files import Source, locate, read_verified
from .samples import Samples, Split

IMAGE_SHAPE = (3, 32, 32)


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
        UsageError: a file is missing or is not the official one.
    """
    paths = locate(source, root, (*source.train, *source.test))
    batches = [unpickle(read_verified(path, source.checksums[path.name])) for path in paths]
    boundary = len(source.train)
    return Split(
        _samples(batches[:boundary], source.label_key),
        _samples(batches[boundary:], source.label_key),
    )


_ADMITTED: Mapping[tuple[str, str], Any] = {
    # Taken from an array rather than imported: numpy 2 moved it and warns on the old name.
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds plain values and numpy arrays; a pickle could otherwise call any function."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted") from None


def unpickle(content: bytes) -> Any:
    """Return the object in a Python 2 pickle of plain values and numpy arrays; str as bytes.

    Raises:
        pickle.UnpicklingError: the pickle asks for anything else.
    """
    return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()


def _samples(batches: list[Any], label_key: bytes) -> Samples:
    # A row holds an image: 1024 bytes of red, then green, then blue, line by line.
    rows = np.concatenate([batch[b"data"] for batch in batches])
    labels = np.concatenate([np.asarray(batch[label_key], np.int64) for batch in batches])
    return Samples(torch.from_numpy(rows).reshape(-1, *IMAGE_SHAPE), torch.from_numpy(labels))
