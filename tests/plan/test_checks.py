"""Every plan has an order, no race, and reads nothing before it is there."""

from dataclasses import replace
from itertools import product

import pytest

from specbp.plan.checks import PlanError, check
from specbp.plan.data_parallel import data_parallel
from specbp.plan.deferred import deferred
from specbp.plan.outline import Node, Outline
from specbp.plan.pipelined import pipelined, unhurried
from specbp.plan.selective import selective
from specbp.plan.sequential import sequential
from specbp.plan.speculative import Method, speculative

NODES = (
    Node("conv 0", True), Node("pool 0", mask=1), Node("relu 0", mask=3), Node("conv 1", True),
    Node("pool 1", mask=4), Node("relu 1", mask=5), Node("flatten"), Node("linear 0", True),
    Node("relu 2", mask=9), Node("linear 1", True), Node("loss", mask=10),
)  # fmt: skip
OUTLINE = Outline(NODES, ((7,), (7,), (0, 3, 9)))

RESIDUAL = Outline(
    (
        Node("conv 0", True), Node("norm 0", True, mask=1, reads_input=True, makes_both=True),
        Node("relu 0", mask=3), Node("conv 1", True), Node("gelu", reads_input=True),
        Node("conv 2", True), Node("shortcut", True, inputs=(3,)), Node("sum", inputs=(6, 7)),
        Node("relu 1", mask=9), Node("conv 3", True), Node("sum 1", inputs=(9, 10)),
        Node("flatten"), Node("linear", True), Node("loss", mask=13),
    ),
    ((0, 1, 3), (5, 6), (9,), (12,)),
)  # fmt: skip
"""Two residuals: one around two convolutions beside a third one, one around a convolution."""


def every_plan():
    for outline in (OUTLINE, RESIDUAL):
        yield from (sequential(outline), sequential(outline, 2), data_parallel(outline))
        yield selective(outline)
        knobs = product(("masks", "activations"), (0, 1, 2), (True, False), (1, 2))
        for reuse, refresh, balanced, engines in knobs:
            method = Method(reuse, refresh, balanced, engines)
            yield speculative(outline, method)
            yield deferred(outline, method)
            if reuse == "activations":
                yield pipelined(outline, method)
                yield unhurried(outline, method)


@pytest.mark.parametrize("plan", list(every_plan()), ids=lambda plan: plan.name)
def test_every_plan_is_sound(plan):
    check(plan)


@pytest.mark.parametrize(
    "plan", [speculative(outline, Method("activations")) for outline in (OUTLINE, RESIDUAL)]
)
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


def test_the_gradient_of_a_value_with_several_readers_is_summed_in_one_order():
    plan = sequential(RESIDUAL, 2)
    task_of = {plan.tasks[one].node: one for one in plan.of_kind("input_grad")}
    assert task_of[6] in plan.tasks[task_of[3]].needs
    alone = replace(plan.tasks[task_of[3]], needs=(task_of[4],))
    tasks = (*plan.tasks[: task_of[3]], alone, *plan.tasks[task_of[3] + 1 :])
    with pytest.raises(PlanError, match="conv 1"):
        check(replace(plan, tasks=tasks))


def test_a_refresh_does_not_begin_beside_a_residual():
    with pytest.raises(ValueError, match="shortcut"):
        speculative(RESIDUAL, Method("activations", refresh=3))
