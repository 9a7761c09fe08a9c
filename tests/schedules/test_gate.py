import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specbp.experiment import gate_range
from specbp.schedules.gate import DISTANCES, AdaptiveGate, FixedGate, OpenGate

ACTUAL = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0]])
CACHED = torch.tensor([[0.4, 0.4, 0.2], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("metric", "expected"), [("max", [0.3, 1.0]), ("tv", [0.3, 1.0]), ("mean", [0.2, 2 / 3])]
)
def test_the_distances(metric, expected):
    torch.testing.assert_close(DISTANCES[metric](ACTUAL - CACHED), torch.tensor(expected))


def test_a_sample_is_accepted_below_the_threshold_only():
    halves = torch.tensor([[0.5, 0.5]])
    quarters = torch.tensor([[0.25, 0.75]])
    assert not FixedGate("max", 0.25)(halves, quarters)
    assert FixedGate("max", 0.2501)(halves, quarters)


@pytest.mark.parametrize("metric", DISTANCES)
def test_threshold_0_accepts_not_even_an_equal_softmax(metric):
    assert not FixedGate(metric, 0.0)(ACTUAL, ACTUAL).any()


@given(st.sampled_from(sorted(DISTANCES)), st.integers(2, 20), st.integers(0, 2**31))
def test_no_distance_is_beyond_the_range_that_is_shown(metric, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    actual, cached = (
        torch.softmax(20 * torch.randn(8, classes, generator=generator), 1) for _ in range(2)
    )
    assert (DISTANCES[metric](actual - cached) <= gate_range(metric, classes) + 1e-6).all()


@pytest.mark.parametrize("metric", DISTANCES)
def test_opposite_certainties_reach_the_range(metric):
    classes = 5
    distance = DISTANCES[metric](torch.eye(classes)[:1] - torch.eye(classes)[1:2])
    torch.testing.assert_close(distance, torch.tensor([gate_range(metric, classes)]))


def test_without_a_gate_every_sample_is_accepted():
    assert OpenGate()(ACTUAL, CACHED).tolist() == [True, True]


def softmaxes(seed, spread):
    generator = torch.Generator().manual_seed(seed)
    return (torch.softmax(spread * torch.randn(32, 10, generator=generator), 1) for _ in range(2))


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("spread", [0.3, 4.0])
def test_an_adaptive_gate_finds_its_accept_rate_whatever_the_size_of_the_distances(target, spread):
    gate = AdaptiveGate("max", 0.25, target)
    shares = [float(gate(*softmaxes(seed, spread)).double().mean()) for seed in range(400)]
    assert sum(shares[200:]) / 200 == pytest.approx(target, abs=0.05)


def test_a_restored_adaptive_gate_goes_on_as_the_saved_one():
    saved, restored = AdaptiveGate("max", 0.25, 0.5), AdaptiveGate("max", 0.9, 0.5)
    for seed in range(20):
        saved(*softmaxes(seed, 1.0))
    restored.restore(saved.state())
    for seed in range(20, 40):
        assert torch.equal(saved(*softmaxes(seed, 1.0)), restored(*softmaxes(seed, 1.0)))
