"""Drawing part of a data set so that every label keeps its share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from specbp.errors import UsageError

from .seeding import random_stream


def quotas(counts: Sequence[int], size: int) -> list[int]:
    """Divide `size` samples over labels in proportion to `counts`, by largest remainder.

    Every label gets its exact share rounded down; the samples left over go, one each, to the
    labels that lost most by it, and to the lower label where they lost the same. So a label is
    off its share by less than one, and never gets more samples than it has. With fewer samples
    than labels some labels get none; where all are equally common, the lowest get one each.

    Args:
        counts: how many samples there are of each label; not all zero.
        size: how many samples to give out, at most the sum of `counts`.

    Returns:
        How many samples each label gets; the sum is `size`.
    """
    total = sum(counts)
    shares = [size * count // total for count in counts]
    lost = [size * count % total for count in counts]
    by_loss = sorted(range(len(counts)), key=lambda label: -lost[label])
    for label in by_loss[: size - sum(shares)]:
        shares[label] += 1
    return shares


def stratified(labels: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """Draw a subset of samples in which every label has its share, as `quotas` gives it.

    Args:
        labels: int64 [N], from 0.
        size: how many samples to draw, from 1.
        seed: decides which samples of a label are drawn, not how many.

    Returns:
        Indices of the samples drawn, int64 [size], rising: a subset keeps the order of the whole.

    Raises:
        UsageError: there are fewer than `size` samples.
    """
    if size > len(labels):
        raise UsageError(f"there are only {len(labels)} samples")
    counts = np.bincount(labels.numpy())
    quota = np.array(quotas(counts.tolist(), size))

    shuffled = random_stream(seed).permutation(len(labels))
    shuffled_labels = labels.numpy()[shuffled]
    by_label = np.argsort(shuffled_labels, kind="stable")
    first = np.cumsum(counts) - counts
    rank = np.arange(len(labels)) - np.repeat(first, counts)
    drawn = shuffled[by_label][rank < np.repeat(quota, counts)]
    return torch.from_numpy(np.sort(drawn).astype(np.int64))
