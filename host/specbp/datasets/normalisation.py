"""The mean and spread of the pixels of each channel."""

from __future__ import annotations

import math

import torch


def channel_statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the standard deviation of every channel, pixel values scaled to 0..1.

    Both are computed from a histogram in integers and rounded once, so they are the same to the
    bit on every machine.

    Args:
        images: uint8 [N, C, H, W], N at least 1.

    Returns:
        mean, float32 [C, 1, 1], and the standard deviation of the population, float32 [C, 1, 1],
        which is 1 for a channel that is constant.
    """
    moments = [_moments(channel) for channel in images.unbind(1)]
    mean, deviation = (torch.tensor(column) for column in zip(*moments, strict=True))
    return mean.reshape(-1, 1, 1), deviation.reshape(-1, 1, 1)


def _moments(channel: torch.Tensor) -> tuple[float, float]:
    histogram = torch.bincount(channel.reshape(-1), minlength=256).tolist()
    count = sum(histogram)
    first = sum(level * times for level, times in enumerate(histogram))
    second = sum(level * level * times for level, times in enumerate(histogram))
    deviation = math.sqrt(second * count - first * first) / (255 * count)
    return first / (255 * count), deviation or 1.0
