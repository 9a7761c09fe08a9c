"""The bound of a plan, against what can be worked out by hand."""

import pytest

from specbp.plan.bound import Passes, bound, costs_of_passes, sequential_time, tails
from specbp.plan.data_parallel import data_parallel
from specbp.plan.pipelined import pipelined
from specbp.plan.sequential import sequential
from specbp.plan.speculative import Method, speculative
from tests.plan.test_checks import OUTLINE

FORWARD, INPUT_GRAD, WEIGHT_GRAD, UPDATE = 1.7, 1.3, 2.2, 0.6
PASSES = Passes(FORWARD, INPUT_GRAD, WEIGHT_GRAD, UPDATE)
COSTS = costs_of_passes(OUTLINE, PASSES)
TOTAL = PASSES.sequential
METHOD = Method("activations")


def test_one_engine_does_all_tasks_one_after_the_other():
    plan = sequential(OUTLINE)
    assert sequential_time(plan, COSTS) == pytest.approx(TOTAL)
    assert bound(plan, COSTS) == pytest.approx(TOTAL)
    assert max(tails(plan, COSTS)) == pytest.approx(TOTAL - WEIGHT_GRAD - UPDATE, rel=0.5)


@pytest.mark.parametrize("plan", [data_parallel(OUTLINE), pipelined(OUTLINE, METHOD)])
def test_two_engines_halve_what_can_be_shared(plan):
    assert bound(plan, COSTS) == pytest.approx(TOTAL / 2)


@pytest.mark.parametrize("accept_rate", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_gate_waits_for_the_forward_and_the_rest_is_shared(accept_rate):
    redone = (1 - accept_rate) * INPUT_GRAD
    rest = (WEIGHT_GRAD + UPDATE + redone) / 2
    expected = FORWARD + rest
    assert bound(speculative(OUTLINE, METHOD), COSTS, accept_rate) == pytest.approx(expected)


def test_on_one_engine_a_speculation_that_is_rejected_costs_its_redo():
    alone = speculative(OUTLINE, Method("activations", engines=1))
    assert bound(alone, COSTS, 1.0) == pytest.approx(TOTAL)
    assert bound(alone, COSTS, 0.0) == pytest.approx(TOTAL + INPUT_GRAD)
