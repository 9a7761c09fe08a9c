"""Held-out samples are samples to train on that are tested on instead: never both, never others."""

import pytest

from specbp.datasets.loading import load


def rows(images):
    return {row.numpy().tobytes() for row in images.flatten(1)}


@pytest.mark.parametrize("name", ["digits", "random:1x6x6/10"])
@pytest.mark.parametrize("train", [None, 300])
def test_held_out_samples_come_from_those_to_train_on(name, train):
    """Kind: a test set that was chosen by, or trained on.

    Planted faults: the held-out samples are the test set; they are trained on too.
    """
    whole, split = (load(name, train=train, held_out=size) for size in (None, 100))
    assert len(split.test_labels) == 100
    assert len(split.train_labels) == len(whole.train_labels) - 100
    trained, tested = rows(split.train_images), rows(split.test_images)
    assert trained | tested == rows(whole.train_images)
    assert len(rows(whole.train_images)) == len(whole.train_labels), "all differ: sets tell all"
    assert not trained & tested
    assert not tested & rows(whole.test_images)
    pairs = {
        (row.numpy().tobytes(), int(label))
        for images, labels in (
            (split.train_images, split.train_labels), (split.test_images, split.test_labels)
        )
        for row, label in zip(images.flatten(1), labels, strict=True)
    }  # fmt: skip
    assert pairs == {
        (row.numpy().tobytes(), int(label))
        for row, label in zip(whole.train_images.flatten(1), whole.train_labels, strict=True)
    }


def test_another_seed_holds_out_others_and_the_same_seed_the_same():
    one, same, other = (load("digits", held_out=100, subset_seed=seed) for seed in (0, 0, 1))
    assert rows(one.test_images) == rows(same.test_images)
    assert rows(one.test_images) != rows(other.test_images)
