import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.cache import BatchCache, LabelCache, last_of_each
from specbp.schedules.passes import Outcome


def outcome(labels, value):
    """An outcome whose every tensor holds `value` plus the position of the sample."""
    rows = value + torch.arange(len(labels), dtype=torch.float32)
    return Outcome(
        torch.tensor(labels), rows[:, None].repeat(1, 3), (None, rows[:, None] * 10), (rows, None)
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_the_last_sample_of_each_label_is_found(labels):
    found_labels, positions = last_of_each(torch.tensor(labels), 5)
    expected = {label: position for position, label in enumerate(labels)}
    assert dict(zip(found_labels.tolist(), positions.tolist(), strict=True)) == expected
    assert found_labels.tolist() == sorted(expected)


def test_a_label_is_seen_once_it_was_stored():
    cache = LabelCache(4, "replay")
    labels = torch.tensor([0, 1, 2, 3])
    assert cache.seen(labels).tolist() == [False] * 4
    cache.store(outcome([2, 0], 100))
    assert cache.seen(labels).tolist() == [True, False, True, False]


def test_the_last_sample_of_a_label_is_recalled_for_each_sample_that_has_it():
    cache = LabelCache(4, "replay")
    cache.store(outcome([1, 2, 1], 100))
    cache.store(outcome([2], 200))
    recalled = cache.recall(torch.tensor([1, 2, 1]))
    assert recalled.probabilities[:, 0].tolist() == [102, 200, 102]
    assert recalled.masks[1][:, 0].tolist() == [1020, 2000, 1020]
    assert recalled.inputs[0].tolist() == [102, 200, 102]
    assert recalled.labels.tolist() == [1, 2, 1]
    assert cache.probabilities(torch.tensor([2]))[0, 0] == 200


def test_outcomes_keep_no_layer_inputs():
    for cache in (LabelCache(4, "outcomes"), BatchCache("outcomes")):
        cache.store(outcome([1], 100))
        assert cache.recall(torch.tensor([1])).inputs == (None, None)


@pytest.mark.parametrize("cache", [LabelCache(4, "replay"), BatchCache("replay")])
def test_what_was_recalled_does_not_change_when_more_is_stored(cache):
    cache.store(outcome([1], 100))
    recalled = cache.recall(torch.tensor([1]))
    cache.store(outcome([1], 200))
    assert recalled.probabilities[0, 0] == 100


def test_the_batch_key_recalls_the_previous_batch_whatever_the_labels():
    cache = BatchCache("replay")
    assert not cache.seen(torch.tensor([0, 1])).any()
    cache.store(outcome([3, 2], 100))
    assert cache.seen(torch.tensor([0, 1])).all()
    assert cache.recall(torch.tensor([0, 1])).labels.tolist() == [3, 2]


@pytest.mark.parametrize("make", [lambda: LabelCache(4, "replay"), lambda: BatchCache("replay")])
def test_a_restored_cache_goes_on_as_the_saved_one(make):
    saved, restored = make(), make()
    restored.restore(saved.state())
    assert not restored.seen(torch.tensor([1])).any()
    saved.store(outcome([1, 2], 100))
    restored.restore(saved.state())
    labels = torch.tensor([2, 1])
    assert torch.equal(restored.probabilities(labels), saved.probabilities(labels))
