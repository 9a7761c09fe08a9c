"""Schedules that treat samples of a batch apart are refused behind a batch norm, by name."""

import pytest

from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.plan.checks import check
from specbp.plan.choosing import step_plans
from specbp.plan.outline import Node, Outline

NODES = (
    Node("conv", True), Node("norm", True, mask=1, reads_input=True, makes_both=True, couples=True),
    Node("flatten"), Node("drop", mask=3, draws=True), Node("linear", True), Node("loss", mask=5),
)  # fmt: skip
OUTLINE = Outline(NODES, ((0, 1, 4),))


def plans(**fields):
    return step_plans(experiment_from(fields), OUTLINE)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "speculative"},
        {"schedule": "speculative", "gate_metric": "none", "reuse": "replay"},
        {"schedule": "speculative", "key": "batch", "reuse": "replay", "gate_threshold": 0.5},
        {"schedule": "speculative", "key": "batch", "reuse": "outcomes", "gate_metric": "none"},
        {"schedule": "deferred", "gate_threshold": 0.5},
        {"schedule": "data-parallel"},
        {"schedule": "selective", "skip_loss": 0.5},
    ],
    ids=str,
)
def test_the_gradient_of_some_samples_of_a_batch_is_refused(fields):
    with pytest.raises(UsageError, match=r"layer norm normalises over the batch.*GroupNorm"):
        plans(**fields)


@pytest.mark.parametrize("balanced", [True, False])
def test_pipelined_training_has_whole_batches_from_its_first_step_on(balanced):
    found = plans(schedule="pipelined", balanced=balanced)
    for plan in (found.hit, found.missed, found.warmup):
        check(plan)
    assert not found.missed.of_kind("redo", "lookup")
    assert found.missed.of_kind("commit")
    assert found.hit.of_kind("lookup")


def test_what_depends_on_the_step_is_not_refreshed():
    with pytest.raises(UsageError, match="refresh = 2 evaluates layer norm again"):
        plans(schedule="pipelined", refresh=2)
