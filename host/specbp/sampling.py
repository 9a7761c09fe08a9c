"""In which order a training run draws its samples."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from specbp.datasets.augmentation import Augmentation
from specbp.datasets.catalog import describe
from specbp.experiment import Experiment


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """Return the permutation, int64 [samples], in which `epoch` (from 0) visits the samples.

    It depends on nothing but the arguments, so a run can be resumed in any epoch.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(samples, generator=generator)


def block_order(labels: Tensor, keys: int, seed: int, epoch: int) -> Tensor:
    """Return a random order in which every block of `keys` samples has each key once.

    The key of a sample is its label modulo `keys`. Blocks, and the keys in a block, come in random
    order; a cached outcome is then never older than two blocks. When the samples of a key are
    used up, later blocks go without it.

    Args:
        labels: int64 [samples].
        keys: number of keys.
        seed: seed of the training.
        epoch: number of the epoch, from 0.

    Returns:
        A permutation, int64 [samples].
    """
    shuffled = epoch_order(len(labels), seed, epoch)
    key = labels[shuffled] % keys
    by_key = key.argsort(stable=True)
    counts = key.bincount(minlength=keys)
    block = torch.empty_like(key)
    block[by_key] = torch.arange(len(key)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return shuffled[block.argsort(stable=True)]


def sample_order(experiment: Experiment, labels: Tensor, epoch: int) -> Tensor:
    """Return the order, int64 [samples], in which `epoch` (from 0) of `experiment` goes."""
    if experiment.sampler == "random":
        return epoch_order(len(labels), experiment.seed, epoch)
    keys = experiment.block_keys or describe(experiment.dataset).classes
    return block_order(labels, keys, experiment.seed, epoch)


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Return the number of whole batches; the samples left over are not used in that epoch."""
    return samples // batch_size


def augmentation_of(experiment: Experiment) -> Augmentation:
    """Return what is done to the training images of an experiment."""
    return Augmentation(
        bool(experiment.random_flip), experiment.random_crop or 0, experiment.cutout or 0
    )


def sample_order_sha256(
    experiment: Experiment, labels: Tensor, image_shape: tuple[int, ...]
) -> str:
    """Return the SHA-256 of the orders of all epochs, and of what happens to the samples in them.

    Args:
        experiment: the experiment.
        labels: labels of the training samples, int64 [samples].
        image_shape: channels, height and width.
    """
    digest = hashlib.sha256()
    augmentation = augmentation_of(experiment)
    for epoch in range(experiment.epochs):
        order = sample_order(experiment, labels, epoch)
        digest.update(order.numpy().tobytes())
        if augmentation:
            places = augmentation.places(order, image_shape, experiment.seed, epoch)
            digest.update(repr(augmentation).encode() + places.numpy().tobytes())
    return digest.hexdigest()
