"""Slots say the same as the cache of the schedules."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.overlay.slots import Slots
from specbp.schedules.cache import KeyedCache

KEYS, SAMPLES = 4, 5
BATCHES = st.lists(
    st.lists(st.integers(0, KEYS - 1), min_size=SAMPLES, max_size=SAMPLES), min_size=1, max_size=6
)


@settings(deadline=None)
@given(BATCHES)
def test_a_label_reads_the_last_sample_of_it(batches):
    slots, cache = Slots(KEYS, SAMPLES, by_place=False), KeyedCache(KEYS)
    content = {}
    for number, batch in enumerate(batches):
        labels = np.array(batch)
        records = slots.records(labels)
        assert (records.seen == cache.seen(torch.tensor(batch)).numpy()).all()
        last = {label: (number, place) for place, label in enumerate(batch)}
        for seen, slot, label in zip(records.seen, records.read, batch, strict=True):
            assert seen == (slot != slots.spare)
            if seen:
                assert content[slot][2] == label
        assert not set(records.write) & set(slots.held)
        assert len(set(records.write)) == SAMPLES
        for place, slot in enumerate(records.write):
            content[slot] = (number, place, batch[place])
        slots.take_in(records, labels)
        cache.note(torch.tensor(batch))
        for label, where in last.items():
            held = slots.records(np.array([label] * SAMPLES)).read[0]
            assert content[held][:2] == where


def test_the_previous_batch_is_read_place_by_place():
    slots = Slots(SAMPLES, SAMPLES, by_place=True)
    first, second = np.array([3, 1, 3, 0, 2]), np.array([0, 0, 1, 1, 1])
    records = slots.records(first)
    assert not records.seen.any()
    slots.take_in(records, first)
    again = slots.records(second)
    assert again.seen.all()
    assert (again.read == records.write).all()
    assert (again.speculated_labels == first).all()


def test_a_resumed_training_reads_the_same():
    slots = Slots(KEYS, SAMPLES, by_place=False)
    labels = np.array([0, 1, 1, 3, 0])
    slots.take_in(slots.records(labels), labels)
    other = Slots(KEYS, SAMPLES, by_place=False)
    other.restore(slots.state())
    assert (other.records(labels).read == slots.records(labels).read).all()
