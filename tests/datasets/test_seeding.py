from __future__ import annotations

from itertools import product

from specbp.datasets.seeding import random_stream


def test_the_stream_is_the_same_for_good() -> None:
    assert random_stream(0).permutation(10).tolist() == [4, 8, 3, 1, 5, 7, 2, 0, 6, 9]
    assert random_stream(1, part=1).randint(0, 1000, 5).tolist() == [528, 260, 670, 911, 407]


def test_every_seed_and_part_has_its_own_stream() -> None:
    seeds = [0, 1, 2**32, 2**32 + 1, 2**64, 2**64 + 1]
    streams = {
        tuple(random_stream(seed, part).randint(0, 1000, 8).tolist())
        for seed, part in product(seeds, [0, 1, 2])
    }
    assert len(streams) == len(seeds) * 3
