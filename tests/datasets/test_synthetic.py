from __future__ import annotations

import torch

from specbp.datasets import synthetic
from specbp.datasets.catalog import describe

INFO = describe("random:2x3x5/7")


def test_shapes_types_and_ranges_are_those_asked_for() -> None:
    split = synthetic.generate(INFO, train=400, test=300)
    for samples, size in zip(split, (400, 300), strict=True):
        assert samples.images.shape == (size, 2, 3, 5)
        assert samples.images.dtype == torch.uint8
        assert samples.labels.dtype == torch.int64
        assert torch.unique(samples.labels).tolist() == list(range(7))
        assert samples.images.min() == 0
        assert samples.images.max() == 255


def test_sizes_have_defaults() -> None:
    train, test = synthetic.generate(INFO)
    assert (len(train.labels), len(test.labels)) == (1024, 256)


def test_the_same_seed_makes_the_same_samples() -> None:
    for one, other in zip(synthetic.generate(INFO), synthetic.generate(INFO), strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_another_seed_makes_other_samples() -> None:
    one, other = synthetic.generate(INFO, seed=0), synthetic.generate(INFO, seed=1)
    for here, there in zip(one, other, strict=True):
        assert not torch.equal(here.images, there.images)
        assert not torch.equal(here.labels, there.labels)


def test_test_samples_are_not_training_samples() -> None:
    train, test = synthetic.generate(INFO, train=256, test=256)
    assert not torch.equal(train.images, test.images)
    assert not torch.equal(train.labels, test.labels)


def test_test_samples_do_not_depend_on_the_training_size() -> None:
    assert torch.equal(
        synthetic.generate(INFO, train=10).test.images,
        synthetic.generate(INFO, train=20).test.images,
    )
