from specbp.sampling import epoch_order, sample_order_sha256, steps_per_epoch


def test_an_epoch_visits_every_sample_once_in_an_order_of_its_own():
    first, second = epoch_order(50, 0, 0), epoch_order(50, 0, 1)
    assert sorted(first.tolist()) == list(range(50))
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(50, 0, 0).tolist()


def test_samples_left_over_by_whole_batches_are_not_used():
    assert steps_per_epoch(100, 32) == 3


def test_the_hash_knows_seed_and_epochs():
    base = sample_order_sha256(50, 0, 2)
    assert base == sample_order_sha256(50, 0, 2)
    assert len({base, sample_order_sha256(50, 1, 2), sample_order_sha256(50, 0, 3)}) == 3
