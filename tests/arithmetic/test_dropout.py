"""What dropout drops is a function of seed, step, layer and sample."""

from dataclasses import replace

import pytest
import torch

from specbp.arithmetic.dropout import Draw

DRAW = Draw(seed=3, step=7, layer=2)
SHAPE = 4, 5, 5


def kept(draw, samples, probability=0.25):
    return draw.factors(torch.tensor(samples), SHAPE, probability)


def test_a_sample_keeps_the_same_values_in_whichever_batch():
    assert torch.equal(kept(DRAW, [5, 9, 5])[1], kept(DRAW, [9])[0])
    assert torch.equal(kept(DRAW, [5, 9, 5])[0], kept(DRAW, [5, 9, 5])[2])


@pytest.mark.parametrize("other", [{"seed": 4}, {"step": 8}, {"layer": 1}])
def test_another_seed_step_or_layer_drops_others(other):
    assert not torch.equal(kept(replace(DRAW, **other), [5]), kept(DRAW, [5]))
    assert not torch.equal(kept(DRAW, [6]), kept(DRAW, [5]))


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_probability_and_the_mean_stays(probability):
    factors = kept(DRAW, range(400), probability)
    assert float((factors == 0).float().mean()) == pytest.approx(probability, abs=0.01)
    assert float(factors.mean()) == pytest.approx(1, abs=0.05)
    assert set(factors.unique().tolist()) <= {0.0, float(torch.tensor(1 / (1 - probability)))}


def test_no_position_and_no_sample_is_preferred():
    """Kind: a generator whose numbers depend on their counter; within five standard deviations."""
    dropped = (kept(DRAW, range(1000), 0.5) == 0).double()
    assert float((dropped.mean(0) - 0.5).abs().max()) < 5 * 0.5 / 1000**0.5
    assert float((dropped.mean((1, 2, 3)) - 0.5).abs().max()) < 5 * 0.5 / 100**0.5
