"""The cache: what is kept for a key, what is found for a sample, and for how long."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.experiment import experiment_from
from specbp.runtime.cache import BatchCache, KeyedCache, expected_age

NODE = 3


def put(cache, labels, value):
    """Commit a batch: the saved tensors of a node hold `value` plus the position of the sample."""
    rows = value + torch.arange(len(labels), dtype=torch.float32)
    labels = torch.tensor(labels)
    cache.commit(NODE, labels, {"saved": rows[:, None].repeat(1, 3), "input": 10 * rows})
    cache.end_step(labels)


def found(cache, labels, name="saved"):
    rows = cache.lookup(NODE, torch.tensor(labels))[name]
    return (rows[:, 0] if rows.dim() > 1 else rows).tolist()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_the_last_sample_of_each_key_is_kept(labels):
    cache = KeyedCache(5)
    put(cache, labels, 100)
    last = {label: 100 + position for position, label in enumerate(labels)}
    assert found(cache, sorted(last)) == [last[label] for label in sorted(last)]


def test_a_label_is_hit_once_it_was_committed():
    cache = KeyedCache(4)
    labels = torch.tensor([0, 1, 2, 3])
    assert cache.hit(labels).tolist() == [False] * 4
    put(cache, [2, 0], 100)
    assert cache.hit(labels).tolist() == [True, False, True, False]


def test_each_sample_finds_the_last_one_of_its_label_in_every_tensor():
    cache = KeyedCache(4)
    put(cache, [1, 2, 1], 100)
    put(cache, [2], 200)
    assert found(cache, [1, 2, 1]) == [102, 200, 102]
    assert found(cache, [1, 2, 1], "input") == [1020, 2000, 1020]
    assert cache.labels_of(torch.tensor([1, 2, 1])).tolist() == [1, 2, 1]


def test_a_bucket_holds_every_label_that_is_the_same_modulo_the_buckets():
    cache = KeyedCache(2)
    put(cache, [0, 3], 100)
    assert cache.labels_of(torch.tensor([5, 2])).tolist() == [3, 0]


def test_the_control_finds_the_last_sample_of_the_next_label():
    cache = KeyedCache(3, offset=1)
    put(cache, [0, 1, 2], 100)
    assert cache.labels_of(torch.tensor([0, 1, 2, 2])).tolist() == [1, 2, 0, 0]
    assert found(cache, [0, 1, 2]) == [101, 102, 100]


def test_a_saved_forward_older_than_the_bound_is_no_hit():
    cache = KeyedCache(4, max_age=2)
    for label in (0, 1, 2):
        put(cache, [label], 100)
    assert cache.hit(torch.tensor([0, 1, 2])).tolist() == [False, True, True]


def test_the_key_batch_finds_the_previous_batch_whatever_the_labels():
    cache = BatchCache()
    labels = torch.tensor([0, 1])
    assert not cache.hit(labels).any()
    put(cache, [3, 2], 100)
    assert cache.hit(labels).all()
    assert cache.labels_of(labels).tolist() == [3, 2]
    assert found(cache, [0, 1]) == [100, 101]


@pytest.mark.parametrize("make", [lambda: KeyedCache(4, max_age=2), BatchCache])
def test_a_restored_cache_goes_on_as_the_saved_one(make):
    saved, restored = make(), make()
    labels = torch.tensor([2, 1])
    put(saved, [1, 2], 100)
    put(saved, [2, 3], 200)
    restored.restore(copy.deepcopy(saved.state()))
    for _ in range(3):
        assert torch.equal(restored.hit(labels), saved.hit(labels))
        assert found(restored, [2, 1]) == found(saved, [2, 1])
        for cache in (saved, restored):
            put(cache, [0, 0], 300)


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"key": "batch", "batch_size": 8}, 1),
        ({"key": "label", "batch_size": 4}, 2.5),
        ({"key": "label", "batch_size": 32}, 1),
        ({"key": "bucket", "buckets": 5, "batch_size": 1}, 5),
    ],
)
def test_a_key_comes_back_after_as_many_samples_as_there_are_keys(fields, steps):
    experiment = experiment_from({"dataset": "digits", "schedule": "speculative"} | fields)
    assert expected_age(experiment, classes=10) == steps
