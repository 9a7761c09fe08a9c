import pytest

from specbp.experiment import experiment_from
from specbp.learning_rate import learning_rate


def rates(steps=100, **fields):
    experiment = experiment_from({"learning_rate": 0.5, **fields})
    return [learning_rate(experiment, step, steps) for step in range(steps)]


def test_a_constant_rate_stays():
    assert set(rates()) == {0.5}


def test_the_warm_up_rises_linearly_to_the_peak():
    rising = rates(learning_rate_warmup=0.1)
    assert rising[:3] == pytest.approx([0.5 / 11, 1.0 / 11, 1.5 / 11])
    assert rising[10] == 0.5


def test_a_cosine_falls_from_the_peak_to_almost_zero():
    falling = rates(learning_rate_decay="cosine", learning_rate_warmup=0.1)
    assert falling[10] == 0.5
    assert falling[55] == pytest.approx(0.25)
    assert 0 < falling[-1] < 0.001
    assert falling[10:] == sorted(falling[10:], reverse=True)
