"""Predicted steps, their bounds, and what lies between."""

import pytest

from specbp.backends.overlay.explained import explained, explained_without_data
from specbp.backends.recipe import Recipe
from specbp.datasets.loading import load
from specbp.experiment import experiment_from

DIGITS = load("digits")
TWO_CORES = {
    "sequential": {"engines": 2},
    "gated": {"schedule": "speculative", "reuse": "replay"},
    "one core for each half": {"schedule": "speculative", "balanced": False},
    "pipelined": {"schedule": "pipelined"},
}


def experiment(**method):
    return experiment_from({"backend": "sim:model", **method})


@pytest.mark.parametrize("method", TWO_CORES.values(), ids=TWO_CORES)
def test_cycles_do_not_need_the_data(method):
    given = experiment(**method)
    recipe = Recipe(given, DIGITS)
    calibrated = explained(given, recipe.network, recipe.scales())
    shape_only = explained_without_data(given)
    assert shape_only.sequential == calibrated.sequential
    for rejects in (0, 3) if given.schedule == "speculative" else (0,):
        one, other = shape_only.step(rejects), calibrated.step(rejects)
        assert one.prediction == other.prediction
        assert one.bound == other.bound


@pytest.mark.parametrize("method", TWO_CORES.values(), ids=TWO_CORES)
def test_the_parts_beyond_the_bound_add_up_to_the_step(method):
    given = experiment(**method)
    step = explained_without_data(given).step()
    over = step.over_bound
    found = step.bound_cycles + over.waiting + over.gate + over.passes
    assert found == pytest.approx(step.cycles, abs=2)
    assert (over.gate > 0) == (given.gate_metric == "max")
    assert over.contention > 0


def test_bounds_are_those_of_the_plans_that_run():
    """F and I beside each other, then W; without a gate I and W of one core; half of everything."""
    gated = explained_without_data(experiment(schedule="speculative", balanced=False))
    passes, step = gated.sequential, gated.step(8)
    redone = passes.deltas * 8 / 32
    least = max(passes.forward, passes.deltas) + redone / 2 + passes.weight_gradients
    assert least <= step.bound_cycles <= least + passes.updates
    assert step.balanced_bound * passes.total == pytest.approx((passes.total + redone) / 2)
    free = explained_without_data(experiment(schedule="pipelined", balanced=False)).step()
    least = passes.deltas + passes.weight_gradients
    assert least <= free.bound_cycles <= least + passes.updates
    assert explained_without_data(experiment(engines=2)).step().bound == 0.5


def test_a_slower_clock_waits_fewer_cycles_for_the_memory():
    given = experiment(schedule="pipelined")
    slow, fast = explained_without_data(given, 50.0), explained_without_data(given, 200.0)
    assert slow.sequential.total < fast.sequential.total
    assert slow.step().cycles < fast.step().cycles
