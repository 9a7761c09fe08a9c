import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.cache import (
    BatchSlots,
    KeyedCache,
    slots_of,
    without_inputs,
)
from specbp.schedules.engines import SameEngine
from specbp.schedules.outcome import Outcome


def outcome(labels, value):
    """An outcome whose every tensor holds `value` plus the position of the sample."""
    rows = value + torch.arange(len(labels), dtype=torch.float32)
    return Outcome(
        torch.tensor(labels), rows[:, None].repeat(1, 3), (None, rows[:, None] * 10), (rows, None)
    )


def put(cache, one):
    cache.offer(one)
    cache.note(one.labels)
    cache.store(one)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_only_the_last_sample_of_each_key_goes_to_its_slot(keys):
    last = {key: position for position, key in enumerate(keys)}
    expected = [key if last[key] == position else 5 for position, key in enumerate(keys)]
    assert slots_of(torch.tensor(keys), 5).tolist() == expected


def test_a_label_is_seen_once_it_was_stored():
    cache = KeyedCache(4)
    labels = torch.tensor([0, 1, 2, 3])
    assert cache.seen(labels).tolist() == [False] * 4
    put(cache, outcome([2, 0], 100))
    assert cache.seen(labels).tolist() == [True, False, True, False]


def test_the_last_sample_of_a_label_is_recalled_for_each_sample_that_has_it():
    cache = KeyedCache(4)
    put(cache, outcome([1, 2, 1], 100))
    put(cache, outcome([2], 200))
    recalled = cache.recall(torch.tensor([1, 2, 1]))
    assert recalled.probabilities[:, 0].tolist() == [102, 200, 102]
    assert recalled.masks[1][:, 0].tolist() == [1020, 2000, 1020]
    assert recalled.inputs[0].tolist() == [102, 200, 102]
    assert recalled.labels.tolist() == [1, 2, 1]


def test_a_bucket_holds_every_label_that_is_the_same_modulo_the_buckets():
    cache = KeyedCache(2)
    put(cache, outcome([0, 3], 100))
    recalled = cache.recall(torch.tensor([5, 2]))
    assert recalled.labels.tolist() == [3, 0]


def test_the_control_recalls_the_last_outcome_of_the_next_label():
    cache = KeyedCache(3, offset=1)
    put(cache, outcome([0, 1, 2], 100))
    assert cache.recall(torch.tensor([0, 1, 2, 2])).labels.tolist() == [1, 2, 0, 0]
    assert cache.seen(torch.tensor([0, 1, 2])).all()


def slots():
    return BatchSlots(SameEngine())


def test_the_batch_key_recalls_the_previous_batch_whatever_the_labels():
    cache = slots()
    assert not cache.seen(torch.tensor([0, 1])).any()
    put(cache, outcome([3, 2], 100))
    assert cache.seen(torch.tensor([0, 1])).all()
    assert cache.recall(torch.tensor([0, 1])).labels.tolist() == [3, 2]


@pytest.mark.parametrize("make", [lambda: KeyedCache(4), slots])
def test_a_restored_cache_goes_on_as_the_saved_one(make):
    saved, restored = make(), make()
    restored.restore(saved.state())
    labels = torch.tensor([2, 1])
    assert not restored.seen(labels).any()
    put(saved, outcome([1, 2], 100))
    put(saved, outcome([2, 3], 200))
    restored.restore(copy.deepcopy(saved.state()))
    for _ in range(3):
        assert torch.equal(restored.seen(labels), saved.seen(labels))
        one, other = restored.recall(labels), saved.recall(labels)
        assert torch.equal(one.probabilities, other.probabilities)
        assert torch.equal(one.inputs[0], other.inputs[0])
        for cache in (saved, restored):
            put(cache, outcome([0, 0], 300))


def test_slots_are_still_read_while_the_next_outcome_is_copied():
    cache = slots()
    put(cache, outcome([3, 2], 100))
    previous, new = cache.recall(torch.tensor([0, 1])), outcome([1, 0], 200)
    cache.offer(new)
    new.labels.zero_()  # forward uses its memory again
    assert previous.labels.tolist() == [3, 2]
    cache.store(new)
    assert cache.recall(torch.tensor([0, 1])).labels.tolist() == [1, 0]


def test_layer_inputs_are_dropped_but_for_the_one_that_refresh_starts_from():
    stored = outcome([1], 100)
    assert without_inputs(stored).inputs == (None, None)
    assert without_inputs(stored, 0).inputs[0] is stored.inputs[0]
