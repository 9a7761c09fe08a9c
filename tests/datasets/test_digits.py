from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from specbp.datasets import digits
from specbp.datasets.samples import Samples, Split


@pytest.fixture(scope="module")
def split() -> Split:
    return digits.read()


def rows(samples: Samples) -> list[tuple[int, ...]]:
    """Every sample as its label and its pixels."""
    pixels = samples.images.flatten(1).tolist()
    labels = samples.labels.tolist()
    return [(label, *image) for label, image in zip(labels, pixels, strict=True)]


def original() -> list[tuple[int, ...]]:
    """Every sample of scikit-learn as its label and its pixels, scaled in floating point."""
    whole = load_digits()
    pixels = np.floor(whole.data * 255 / 16 + 0.5).astype(int)
    return [
        (label, *image) for label, image in zip(whole.target.tolist(), pixels.tolist(), strict=True)
    ]


def test_the_halves_have_their_sizes_and_types(split: Split) -> None:
    for samples, size in zip(split, (1437, 360), strict=True):
        assert samples.images.shape == (size, 1, 8, 8)
        assert samples.images.dtype == torch.uint8
        assert samples.labels.shape == (size,)
        assert samples.labels.dtype == torch.int64


def test_ink_runs_from_0_to_255(split: Split) -> None:
    levels = torch.unique(split.train.images).tolist()
    assert levels == [
        0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255,
    ]  # fmt: skip


def test_the_halves_together_are_all_digits_once(split: Split) -> None:
    assert sorted(rows(split.train) + rows(split.test)) == sorted(original())


def test_each_half_is_in_the_order_of_scikit_learn(split: Split) -> None:
    position = {row: number for number, row in enumerate(original())}
    assert len(position) == 1797  # no two samples are alike, so a row tells where it stands
    for samples in split:
        places = [position[row] for row in rows(samples)]
        assert places == sorted(places)


def test_every_label_gives_a_fifth_to_the_test_half(split: Split) -> None:
    train, test = (torch.bincount(samples.labels, minlength=10) for samples in split)
    assert ((test - (train + test) / 5).abs() < 1).all()


def test_the_split_is_the_same_for_good(split: Split) -> None:
    position = {row: number for number, row in enumerate(original())}
    places = [position[row] for row in rows(split.test)]
    assert places[:10] == [0, 2, 4, 17, 21, 26, 28, 31, 33, 45]
    assert sum(places) == 322701
