"""Random images with random labels, of any shape: good for timing, and for nothing else."""

from __future__ import annotations

import math

import numpy as np
import psutil
import torch

from specbp.errors import UsageError

from .catalog import DatasetInfo
from .samples import Samples, Split
from .seeding import random_stream

TRAIN = 1024
TEST = 256


def generate(info: DatasetInfo, *, train: int = TRAIN, test: int = TEST, seed: int = 0) -> Split:
    """Make up samples of the shape and class count that `info` gives.

    Every pixel and every label is drawn evenly and on its own, so a label may be absent from a
    small set. The test samples do not depend on how many there are to train on.

    Returns:
        Images uint8 [N, C, H, W] and labels int64 [N].

    Raises:
        UsageError: they do not fit into the memory that is free.
    """
    size, free = (train + test) * math.prod(info.image_shape), psutil.virtual_memory().available
    if size > free:
        raise UsageError(
            f"{info.name}: {train + test:,} images take {size / 2**30:,.0f} GiB, and "
            f"{free / 2**30:,.1f} GiB of memory are free: name smaller ones, or fewer with train "
            "and test"
        )
    return Split(_samples(info, train, seed, 0), _samples(info, test, seed, 1))


def _samples(info: DatasetInfo, size: int, seed: int, part: int) -> Samples:
    stream = random_stream(seed, part)
    labels = stream.randint(0, info.classes, size, dtype=np.int64)
    images = stream.randint(0, 256, (size, *info.image_shape), dtype=np.uint8)
    return Samples(torch.from_numpy(images), torch.from_numpy(labels))
