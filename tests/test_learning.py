"""What counts as chance and as falling apart, by the statistics that the module states."""

import pytest

from specbp.learning import MeasuredAccuracy


@pytest.mark.parametrize(
    ("accuracy", "samples", "chance", "learned"),
    [
        (0.10, 360, 0.1, False),
        (0.15, 360, 0.1, True),
        (0.13, 360, 0.1, False),
        (0.20, 20, 0.1, False),  # so few samples show nothing
        (0.95, 360, 0.95, False),  # one label, always named
        (0.02, 10_000, 0.01, True),
        (0.0, 50, 0.1, False),
    ],
)
def test_an_accuracy_must_be_above_chance_for_its_number_of_samples(
    accuracy, samples, chance, learned
):
    assert MeasuredAccuracy(accuracy, samples, chance).learned is learned


@pytest.mark.parametrize(
    ("accuracy", "baseline", "samples", "fell"),
    [
        (0.25, 0.98, 360, True),
        (0.90, 0.98, 360, False),  # lower, but it trains
        (0.53, 0.98, 360, True),  # less than half of the gain over chance
        (0.55, 0.98, 360, False),
        (0.5, 0.98, 6, False),  # three of six
        (0.10, 0.10, 360, False),  # nothing to fall from
        (0.99, 0.98, 360, False),
    ],
)
def test_an_accuracy_falls_apart_when_less_than_half_of_the_gain_is_there(
    accuracy, baseline, samples, fell
):
    found = MeasuredAccuracy(accuracy, samples, 0.1).fell_apart_beside(
        MeasuredAccuracy(baseline, samples, 0.1)
    )
    assert found is fell
