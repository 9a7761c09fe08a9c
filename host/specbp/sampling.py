"""In which order a training run draws its samples."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """Return the permutation, int64 [samples], in which `epoch` (from 0) visits the samples.

    It depends on nothing but the arguments, so a run can be resumed in any epoch.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(samples, generator=generator)


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Return the number of whole batches; the samples left over are not used in that epoch."""
    return samples // batch_size


def sample_order_sha256(samples: int, seed: int, epochs: int) -> str:
    """Return the SHA-256 of the permutations of all epochs."""
    digest = hashlib.sha256()
    for epoch in range(epochs):
        digest.update(epoch_order(samples, seed, epoch).numpy().tobytes())
    return digest.hexdigest()
