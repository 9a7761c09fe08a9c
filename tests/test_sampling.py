import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.experiment import experiment_from
from specbp.sampling import block_order, epoch_order, sample_order_sha256, steps_per_epoch


def test_an_epoch_visits_every_sample_once_in_an_order_of_its_own():
    first, second = epoch_order(50, 0, 0), epoch_order(50, 0, 1)
    assert sorted(first.tolist()) == list(range(50))
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(50, 0, 0).tolist()


def test_samples_left_over_by_whole_batches_are_not_used():
    assert steps_per_epoch(100, 32) == 3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_every_block_has_each_key_that_is_left_once(labels, keys):
    order = block_order(torch.tensor(labels), keys, seed=0, epoch=0)
    assert sorted(order.tolist()) == list(range(len(labels)))
    left = [label % keys for label in labels]
    drawn = [labels[index] % keys for index in order]
    while drawn:
        present = set(left)
        block, drawn = drawn[: len(present)], drawn[len(present) :]
        assert set(block) == present
        for key in block:
            left.remove(key)


def test_blocks_differ_from_each_other_and_from_epoch_to_epoch():
    labels = torch.arange(40) % 4
    first, second = (block_order(labels, 4, 0, epoch) for epoch in (0, 1))
    assert first.tolist() != second.tolist()
    assert len({tuple(labels[block].tolist()) for block in first.split(4)}) > 1


def test_the_hash_knows_seed_epochs_and_sampler():
    labels = torch.arange(50) % 10

    def digest(**fields):
        return sample_order_sha256(experiment_from({"epochs": 2} | fields), labels, (1, 8, 8))

    base = digest()
    assert base == digest()
    others = [digest(seed=1), digest(epochs=3), digest(sampler="blocks")]
    assert len({base, *others, digest(sampler="blocks", block_keys=5)}) == 5
