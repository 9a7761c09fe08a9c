"""MNIST and Fashion-MNIST: IDX files, plain or gzipped.

The format is described on http://yann.lecun.com/exdb/mnist/. Fashion-MNIST: Xiao, Rasul and
Vollgraf, 2017, https://github.com/zalandoresearch/fashion-mnist, MIT licence.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from specbp.errors import UsageError

from .files import Source, locate, read_verified
from .samples import Samples, Split

_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_UNSIGNED_BYTE = 0x08
MOST_BYTES = 128 << 20
"""Of an unpacked file; the largest official one has 47 million."""


def _fetch(url: str, folder: str) -> str:
    files = "{train-images-idx3,train-labels-idx1,t10k-images-idx3,t10k-labels-idx1}-ubyte.gz"
    return f'curl -fL --create-dirs --output-dir ROOT/{folder} -O "{url}{files}"'


# The md5 of a .gz is the official one, as in torchvision. That of a plain file follows from it:
# measured on the unpacked official files for Fashion-MNIST, widely published for MNIST.
MNIST = Source(
    name="mnist",
    folder="MNIST/raw",
    checksums={
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    fetch=_fetch("https://ossci-datasets.s3.amazonaws.com/mnist/", "MNIST/raw"),
)
FASHION_MNIST = Source(
    name="fashion-mnist",
    folder="FashionMNIST/raw",
    checksums={
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    fetch=_fetch("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", "FashionMNIST/raw"),
)


def read(root: Path, source: Source) -> Split:
    """Read the data set described by `source` from below the data root.

    Returns:
        Images uint8 [N, 1, H, W] and labels int64 [N], in the order of the files.

    Raises:
        UsageError: a file is missing, is not the official one, or is no IDX file of its kind.
    """
    # A plain file comes first: both forms are checked alike, and unpacking takes time.
    paths = locate(source, root, _NAMES, suffixes=("", ".gz"))
    train_images, train_labels, test_images, test_labels = (
        _read_file(path, source.checksums[path.name], dimensions)
        for path, dimensions in zip(paths, (3, 1, 3, 1), strict=True)
    )
    return Split(_samples(train_images, train_labels), _samples(test_images, test_labels))


def parse(content: bytes, dimensions: int) -> npt.NDArray[np.uint8]:
    """Return the array held by the content of an IDX file, writable.

    The content is two zero bytes, the element type, the number of dimensions, the dimensions as
    big-endian 32-bit integers, and the elements, the last dimension running fastest.

    Raises:
        ValueError: the magic number is not that of unsigned bytes in so many dimensions, or the
            content is longer or shorter than its dimensions say.
    """
    magic = bytes((0, 0, _UNSIGNED_BYTE, dimensions))
    if content[:4] != magic:
        raise ValueError(f"expected magic number {magic.hex()}, found {content[:4].hex()}")
    header = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise ValueError(f"expected {expected} bytes, found {len(content)}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def _read_file(path: Path, md5: str, dimensions: int) -> torch.Tensor:
    content = read_verified(path, md5)
    try:
        if path.suffix == ".gz":
            content = _unpacked(content)
        return torch.from_numpy(parse(content, dimensions))
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"{path}: {error}: delete it and fetch it again") from error


def _unpacked(content: bytes) -> bytes:
    """Return what a gzip file holds.

    Raises:
        ValueError: more than `MOST_BYTES`, which no such file holds.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 20} MiB when unpacked")
    return unpacked


def _samples(images: torch.Tensor, labels: torch.Tensor) -> Samples:
    return Samples(images.unsqueeze(1), labels.to(torch.int64))
