"""Every plan has an order, no race, and reads nothing before it is there."""

from dataclasses import replace
from itertools import product

import pytest

from specbp.plan.checks import PlanError, check
from specbp.plan.data_parallel import data_parallel
from specbp.plan.deferred import deferred
from specbp.plan.outline import Node, Outline
from specbp.plan.pipelined import pipelined
from specbp.plan.selective import selective
from specbp.plan.sequential import sequential
from specbp.plan.speculative import Method, speculative

NODES = (
    Node("conv 0", True), Node("pool 0", mask=1), Node("relu 0", mask=3), Node("conv 1", True),
    Node("pool 1", mask=4), Node("relu 1", mask=5), Node("flatten"), Node("linear 0", True),
    Node("relu 2", mask=9), Node("linear 1", True), Node("loss", mask=10),
)  # fmt: skip
OUTLINE = Outline(NODES, ((7,), (7,), (0, 3, 9)))


def every_plan():
    yield from (sequential(OUTLINE), sequential(OUTLINE, 2), data_parallel(OUTLINE))
    yield selective(OUTLINE)
    knobs = product(("masks", "activations"), (0, 1, 2), (True, False), (1, 2))
    for reuse, refresh, balanced, engines in knobs:
        method = Method(reuse, refresh, balanced, engines)
        yield speculative(OUTLINE, method)
        yield deferred(OUTLINE, method)
        if reuse == "activations":
            yield pipelined(OUTLINE, method)


@pytest.mark.parametrize("plan", list(every_plan()), ids=lambda plan: plan.name)
def test_every_plan_is_sound(plan):
    check(plan)


@pytest.mark.parametrize("plan", [speculative(OUTLINE, Method("activations"))])
def test_a_need_that_is_left_out_is_found(plan):
    # Not every need is the only one that orders two tasks, but most are.
    found = 0
    for index, task in enumerate(plan.tasks):
        for need in task.needs:
            needs = tuple(one for one in task.needs if one != need)
            tasks = (*plan.tasks[:index], replace(task, needs=needs), *plan.tasks[index + 1 :])
            try:
                check(replace(plan, tasks=tasks))
            except PlanError:
                found += 1
    assert found > len(plan.tasks) / 2


def test_the_update_waits_for_the_forward_that_reads_the_weights():
    plan = pipelined(OUTLINE, Method("activations"))
    update = plan.of_kind("update")[0]
    forward = set(plan.of_kind("forward"))
    needs = tuple(one for one in plan.tasks[update].needs if one not in forward)
    tasks = list(plan.tasks)
    tasks[update] = replace(tasks[update], needs=needs)
    with pytest.raises(PlanError, match="race for"):
        check(replace(plan, tasks=tuple(tasks)))
