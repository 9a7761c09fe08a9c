"""Both ways to settle a batch, by rows and by mask, give the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.schedules.outcome import Outcome
from specbp.schedules.verdict import ByMask, ByRows, decided, how_many


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_rows_and_mask_merge_alike(accept):
    accepted = torch.tensor(accept)
    everything = torch.ones_like(accepted)
    images = torch.arange(2.0 * len(accept)).view(-1, 2)
    outcome = Outcome(torch.arange(len(accept)), images, (None,), (images,))
    merged = []
    for verdict in (
        ByRows(everything, accepted),
        ByMask(accepted, how_many(sum(accept), len(accept))),
    ):
        assert torch.equal(verdict.accepted, accepted)
        assert verdict.accepts == how_many(sum(accept), len(accept))
        redone = verdict.rejected(outcome).probabilities + 100
        if verdict.accepts == "some":
            merged.append(verdict.merged(images, redone))
    if merged:
        assert torch.equal(*merged)
        expected = [2.0 * row + (0 if kept else 100) for row, kept in enumerate(accept)]
        assert merged[0][:, 0].tolist() == expected


def test_samples_that_were_not_speculated_on_are_rejected():
    seen, accept = torch.tensor([True, False, True]), torch.tensor([False, True])
    verdict = decided(seen, accept)
    assert isinstance(verdict, ByRows)
    assert verdict.accepted.tolist() == [False, False, True]
    assert isinstance(decided(torch.ones(2, dtype=torch.bool), accept), ByMask)


@pytest.mark.parametrize(("accepts", "word"), [(0, "none"), (1, "some"), (3, "all")])
def test_how_many_samples_are_accepted_in_a_word(accepts, word):
    assert how_many(accepts, 3) == word
