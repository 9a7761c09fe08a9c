"""The gate: distances, thresholds, and the threshold that follows an accept rate."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.experiment import gate_range
from specbp.runtime.gates import Gate

ACTUAL = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0]])
CACHED = torch.tensor([[0.4, 0.4, 0.2], [1.0, 0.0, 0.0]])
DISTANCES = {"max": [0.3, 1.0], "tv": [0.3, 1.0], "mean": [0.2, 2 / 3]}
METRICS = sorted(DISTANCES)


def accepts(gate, actual, cached):
    return gate(actual, cached, torch.zeros(len(actual))).tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("sample", [0, 1])
def test_a_sample_is_accepted_below_the_threshold_only(metric, sample):
    distance, one = DISTANCES[metric][sample], slice(sample, sample + 1)
    assert accepts(Gate(metric, distance + 1e-6), ACTUAL[one], CACHED[one]) == [True]
    assert accepts(Gate(metric, distance - 1e-6), ACTUAL[one], CACHED[one]) == [False]


def test_at_the_threshold_nothing_is_accepted():
    halves, quarters = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    assert accepts(Gate("max", 0.25), halves, quarters) == [False]


@pytest.mark.parametrize("metric", METRICS)
def test_threshold_0_accepts_not_even_an_equal_softmax(metric):
    assert accepts(Gate(metric, 0.0), ACTUAL, ACTUAL) == [False, False]


@given(st.sampled_from(METRICS), st.integers(2, 20), st.integers(0, 2**31))
def test_above_the_range_that_is_shown_all_is_accepted(metric, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    actual, cached = (
        torch.softmax(20 * torch.randn(8, classes, generator=generator), 1) for _ in range(2)
    )
    assert all(accepts(Gate(metric, gate_range(metric, classes) + 1e-6), actual, cached))


@pytest.mark.parametrize("metric", METRICS)
def test_opposite_certainties_reach_the_range(metric):
    one, other = torch.eye(5)[:1], torch.eye(5)[1:2]
    assert accepts(Gate(metric, gate_range(metric, 5)), one, other) == [False]


def test_without_a_gate_every_sample_is_accepted():
    assert accepts(Gate("none"), ACTUAL, CACHED) == [True, True]


def test_of_selective_the_samples_with_a_large_loss_are_kept():
    losses = torch.tensor([0.1, 0.5])
    assert Gate("loss", 0.5)(ACTUAL, ACTUAL, losses).tolist() == [False, True]


def softmaxes(seed, spread):
    generator = torch.Generator().manual_seed(seed)
    return (torch.softmax(spread * torch.randn(32, 10, generator=generator), 1) for _ in range(2))


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("spread", [0.3, 4.0])
def test_an_adaptive_gate_finds_its_accept_rate_whatever_the_size_of_the_distances(target, spread):
    gate = Gate("max", 0.25, target)
    shares = [sum(accepts(gate, *softmaxes(seed, spread))) / 32 for seed in range(400)]
    assert sum(shares[200:]) / 200 == pytest.approx(target, abs=0.05)
