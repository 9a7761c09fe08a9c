from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.datasets.subset import quotas, stratified
from specbp.errors import UsageError

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any)
LABELS = st.lists(st.integers(0, 11), min_size=1, max_size=200)
SEEDS = st.integers(0, 2**70)


@st.composite
def counts_and_size(draw: st.DrawFn) -> tuple[list[int], int]:
    counts = draw(COUNTS)
    return counts, draw(st.integers(1, sum(counts)))


@st.composite
def labels_and_size(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    labels = draw(LABELS)
    return torch.tensor(labels), draw(st.integers(1, len(labels)))


@given(counts_and_size())
def test_quotas_add_up_and_are_within_one_of_the_share(given: tuple[list[int], int]) -> None:
    counts, size = given
    result = quotas(counts, size)
    assert sum(result) == size
    for quota, count in zip(result, counts, strict=True):
        assert 0 <= quota <= count
        assert abs(quota * sum(counts) - size * count) < sum(counts)


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([10, 10, 10], 6, [2, 2, 2]),
        ([10, 10, 10], 7, [3, 2, 2]),  # the lower label where all lost the same
        ([50, 30, 20], 7, [4, 2, 1]),  # shares 3.5, 2.1, 1.4
        ([1, 0, 3], 2, [1, 0, 1]),  # shares 0.5, 0, 1.5
        ([5, 5, 5, 5], 2, [1, 1, 0, 0]),  # fewer samples than labels
        ([90, 1, 1, 1], 3, [3, 0, 0, 0]),
    ],
)
def test_quotas_go_by_largest_remainder(counts: list[int], size: int, expected: list[int]) -> None:
    assert quotas(counts, size) == expected


@given(labels_and_size(), SEEDS)
def test_a_subset_has_its_size_its_shares_its_order_and_no_sample_twice(
    given: tuple[torch.Tensor, int], seed: int
) -> None:
    labels, size = given
    drawn = stratified(labels, size, seed)
    assert drawn.dtype == torch.int64
    indices = drawn.tolist()
    assert len(indices) == size
    assert indices == sorted(set(indices))
    assert indices[0] >= 0
    assert indices[-1] < len(labels)
    whole, part = Counter(labels.tolist()), Counter(labels[drawn].tolist())
    for label, count in whole.items():
        assert abs(part[label] * len(labels) - size * count) < len(labels)


@given(labels_and_size(), SEEDS)
def test_the_same_seed_draws_the_same_subset(given: tuple[torch.Tensor, int], seed: int) -> None:
    labels, size = given
    assert torch.equal(stratified(labels, size, seed), stratified(labels, size, seed))


@given(SEEDS, SEEDS)
def test_different_seeds_draw_different_subsets(one: int, other: int) -> None:
    labels = torch.arange(10).repeat(20)
    same = torch.equal(stratified(labels, 100, one), stratified(labels, 100, other))
    assert same == (one == other)


def test_every_sample_of_a_label_can_be_drawn() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    times = Counter(index for seed in range(400) for index in stratified(labels, 2, seed).tolist())
    # 100 expected of each, standard deviation 9
    assert all(60 < times[index] < 140 for index in range(8))


def test_the_whole_set_can_be_drawn() -> None:
    labels = torch.tensor([2, 0, 2, 5])
    assert stratified(labels, 4, seed=3).tolist() == [0, 1, 2, 3]


def test_a_subset_is_the_same_for_good() -> None:
    assert stratified(torch.arange(4).repeat(5), 6, seed=1).tolist() == [4, 7, 8, 9, 10, 13]


def test_more_samples_than_there_are_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="there are only 4 samples"):
        stratified(torch.tensor([0, 1, 0, 1]), 5, seed=0)
