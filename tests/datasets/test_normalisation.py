from __future__ import annotations

import numpy as np
import torch

from specbp.datasets.normalisation import channel_statistics


def test_statistics_are_those_of_numpy() -> None:
    images = torch.randint(0, 256, (50, 3, 4, 5), dtype=torch.uint8)
    images[:, 1] //= 3
    mean, deviation = channel_statistics(images)
    scaled = images.numpy().astype(np.float64) / 255
    for statistic, expected in (
        (mean, scaled.mean(axis=(0, 2, 3))),
        (deviation, scaled.std(axis=(0, 2, 3))),
    ):
        assert statistic.dtype == torch.float32
        assert statistic.shape == (3, 1, 1)
        np.testing.assert_array_equal(statistic.flatten().numpy(), expected.astype(np.float32))


def test_a_constant_channel_has_deviation_one() -> None:
    images = torch.full((7, 2, 3, 3), 255, dtype=torch.uint8)
    images[0, 1] = 0
    mean, deviation = channel_statistics(images)
    assert mean.flatten().tolist()[0] == 1
    assert deviation.flatten().tolist()[0] == 1
    assert 0 < deviation.flatten().tolist()[1] < 1
