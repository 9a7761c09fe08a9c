"""A data set by its name: read, cut to size and measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from specbp.errors import UsageError

from . import cifar, digits, idx, synthetic
from .catalog import DatasetInfo, describe, is_own
from .files import resolve_root
from .normalisation import channel_statistics
from .own import own_data, require_test
from .samples import Samples, Split
from .subset import stratified

READERS: Mapping[str, Callable[[Path], Split]] = {
    "digits": lambda _: digits.read(),
    "mnist": partial(idx.read, source=idx.MNIST),
    "fashion-mnist": partial(idx.read, source=idx.FASHION_MNIST),
    "cifar10": partial(cifar.read, source=cifar.CIFAR10),
    "cifar100": partial(cifar.read, source=cifar.CIFAR100),
    "cifar100-coarse": partial(cifar.read, source=cifar.CIFAR100_COARSE),
}
"""What reads each data set of the catalog from the data root."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images and labels of one training run.

    Attributes:
        info: name, image shape and class count.
        train_images: uint8 [N, C, H, W].
        train_labels: int64 [N].
        test_images: uint8 [M, C, H, W].
        test_labels: int64 [M].
        mean: float32 [C, 1, 1], of `train_images`, pixel values scaled to 0..1.
        standard_deviation: standard deviation of each channel, float32 [C, 1, 1]; 1 where constant.
    """

    info: DatasetInfo
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    mean: torch.Tensor
    standard_deviation: torch.Tensor

    def to(self, place: torch.device) -> Dataset:
        """Return the same data on a device; itself where it is there."""
        if self.mean.device == place:
            return self
        tensors: dict[str, Any] = {
            field.name: value.to(place)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), torch.Tensor)
        }
        return replace(self, **tensors)

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Return `images` less the mean and over the standard deviation of the training images.

        Args:
            images: uint8 [B, C, H, W], on the device of `mean`.

        Returns:
            A new tensor, float32 [B, C, H, W].
        """
        scale, offset = self._scale_and_offset
        # Fewer passes are not faster on a CPU: addcmul and mixed-type mul are not vectorised.
        return images.to(torch.float32, copy=True).mul_(scale).sub_(offset)

    @cached_property
    def _scale_and_offset(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, deviation = self.mean.double(), self.standard_deviation.double()
        return (1 / (255 * deviation)).float(), (mean / deviation).float()

    @property
    def mean_levels(self) -> torch.Tensor:
        """Mean of each channel of the training images, rounded, uint8 [channels]."""
        return (self.mean * 255).round().to(torch.uint8).flatten()

    @property
    def chance(self) -> float:
        """Share of the most frequent label among the test samples: accuracy without learning."""
        return float(self.test_labels.bincount().max()) / len(self.test_labels)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the images and labels trained and tested on, in hexadecimal.

        Taken over type, shape and little-endian content of the four tensors, in the order of the
        fields, so equal digests mean the same samples in the same order.
        """
        digest = hashlib.sha256()
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array = tensor.cpu().contiguous().numpy()
            digest.update(f"{array.dtype.name} {array.shape}\n".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()


def load(
    name: str,
    *,
    data_root: Path | None = None,
    train: int | None = None,
    test: int | None = None,
    subset_seed: int = 0,
    held_out: int | None = None,
) -> Dataset:
    """Load a data set.

    Args:
        name: a name of the catalog, ``random:CxHxW/K``, ``imagefolder:PATH`` or
            ``module:attribute``.
        data_root: folder the data sets lie in; ``$SPECBP_DATA``, else ``./data`` when absent.
        train: how many samples to train on, drawn so that every label keeps its share (see
            `subset.stratified`); all when absent. For a random set, how many to make: 1024.
        test: the same for the samples to test on. For a random set, how many to make: 256.
        subset_seed: decides which samples are drawn, or made; at least 0.
        held_out: how many of the samples to train on are tested on instead, and not trained on;
            the real test samples are then not used at all.

    Raises:
        UsageError: there is no such data set, a file of it is missing or not the official one,
            or `train`, `test` or `held_out` is below 1 or above the number of samples there are.
    """
    info = describe(name)
    for field, value in (("train", train), ("test", test), ("held_out", held_out)):
        if value is not None and value < 1:
            raise UsageError(f"{name}: {field} = {value}: must be at least 1")
    if subset_seed < 0:
        raise UsageError(f"{name}: subset_seed = {subset_seed}: must be at least 0")
    if info.synthetic:
        split = synthetic.generate(
            info, train=train or synthetic.TRAIN, test=test or synthetic.TEST, seed=subset_seed
        )
    else:
        whole = (
            _read_own(name, held_out) if is_own(name) else READERS[name](resolve_root(data_root))
        )
        split = Split(
            _subset(whole.train, train, subset_seed, f"{name}: train"),
            _subset(whole.test, test, subset_seed, f"{name}: test"),
        )
    if held_out is not None:
        split = _hold_out(split.train, held_out, subset_seed, name)
    return Dataset(info, *split.train, *split.test, *channel_statistics(split.train.images))


def _read_own(name: str, held_out: int | None) -> Split:
    """Return a user's own data set; with held-out samples it needs none to test on."""
    if held_out is None:
        require_test(name)
    own = own_data(name)
    return Split(own.train, own.test or own.train)


def _hold_out(samples: Samples, size: int, seed: int, name: str) -> Split:
    """Split `samples` into those to train on and `size` to test on."""
    if size >= len(samples.labels):
        raise UsageError(
            f"{name}: held_out = {size}: there are only {len(samples.labels)} samples to train on"
        )
    stays = torch.ones(len(samples.labels), dtype=torch.bool)
    stays[stratified(samples.labels, size, seed)] = False
    return Split(
        Samples(samples.images[stays], samples.labels[stays]),
        Samples(samples.images[~stays], samples.labels[~stays]),
    )


def _subset(samples: Samples, size: int | None, seed: int, field: str) -> Samples:
    if size is None:
        return samples
    try:
        drawn = stratified(samples.labels, size, seed)
    except UsageError as error:
        raise UsageError(f"{field} = {size}: {error}") from error
    return Samples(samples.images[drawn], samples.labels[drawn])
