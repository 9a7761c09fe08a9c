"""Data sets that users bring: their shape and class count are found, their content is hashed.

``module:attribute`` names Python objects, ``imagefolder:PATH`` a folder of image files. Both are
read once in a command and kept as uint8.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property

import torch

from specbp.errors import UsageError

from .catalog import FOLDER, DatasetInfo
from .samples import Samples

PARTS = ("train", "test")


@dataclass(frozen=True, eq=False)
class OwnData:
    """A user's data set, whole.

    Attributes:
        info: name, image shape and class count.
        train: the samples to train on.
        test: the samples to test on; None where the data set does not say which they are.
    """

    info: DatasetInfo
    train: Samples
    test: Samples | None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all images and labels, in hexadecimal: another pixel is another data set."""
        digest = hashlib.sha256(f"{self.info.classes} classes\n".encode())
        for part in (self.train, *([self.test] if self.test else [])):
            for tensor in part:
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
                digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


@cache
def own_data(name: str) -> OwnData:
    """Return a user's data set, read once in a command.

    Args:
        name: ``module:attribute`` or ``imagefolder:PATH``.

    Raises:
        UsageError: it cannot be read, or cannot be trained on.
    """
    if name.startswith(FOLDER):
        from .image_folder import read_folder

        parts, classes = read_folder(name)
    else:
        from .torch_datasets import read_objects

        parts, classes = read_objects(name)
    train, test = parts["train"], parts.get("test")
    shape = _common_shape(name, parts)
    count = _class_count(name, parts, classes)
    return OwnData(DatasetInfo(name, shape, count), train, test)


def require_test(name: str) -> None:
    """Refuse a data set that does not say which samples to test on.

    Raises:
        UsageError: it has one part only.
    """
    if own_data(name).test is None:
        raise UsageError(
            f'data set "{name}" gives samples to train on and none to test on: give both, or say '
            "with held_out = N how many of its samples are tested on and not trained on"
        )


def _common_shape(name: str, parts: dict[str, Samples]) -> tuple[int, int, int]:
    shapes = {part: tuple(samples.images.shape[1:]) for part, samples in parts.items()}
    if len(set(shapes.values())) > 1:
        words = " and ".join(f"{part} {_words(shape)}" for part, shape in shapes.items())
        raise UsageError(f'data set "{name}": images of mixed sizes: {words}: give all one size')
    channels, height, width = shapes["train"]
    if not min(channels, height, width):
        raise UsageError(f'data set "{name}": its images are empty: {_words(shapes["train"])}')
    return channels, height, width


def _class_count(name: str, parts: dict[str, Samples], names: list[str] | None) -> int:
    """Return how many classes there are, by their names where they have some.

    Raises:
        UsageError: a label is out of range, or a class has no sample to train on.
    """
    largest = max(int(samples.labels.max()) for samples in parts.values())
    count = len(names) if names else largest + 1
    for part, samples in parts.items():
        outside = samples.labels[(samples.labels < 0) | (samples.labels >= count)]
        if len(outside):
            raise UsageError(
                f'data set "{name}": label {int(outside[0])} in {part} is out of range: labels go '
                f"from 0 to the number of classes less one, here {count - 1}"
            )
    if count < 2:
        raise UsageError(f'data set "{name}": it has one class: give at least two')
    absent = (torch.bincount(parts["train"].labels, minlength=count) == 0).nonzero()
    if len(absent):
        label = int(absent[0])
        word = f'class "{names[label]}"' if names else f"class {label} of {count}"
        raise UsageError(
            f'data set "{name}": {word} has no sample to train on: give it some, or number '
            "the classes without a gap"
        )
    return count


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
