"""The plans of an experiment: the one place that knows which schedule is which function."""

from __future__ import annotations

from specbp.experiment import Experiment
from specbp.plan.data_parallel import data_parallel
from specbp.plan.deferred import deferred
from specbp.plan.outline import Outline
from specbp.plan.pipelined import pipelined
from specbp.plan.selective import selective
from specbp.plan.sequential import sequential
from specbp.plan.speculative import Method, Reuse, speculative
from specbp.plan.tasks import Plan, StepPlans


def step_plans(experiment: Experiment, outline: Outline) -> StepPlans:
    """Return the plans of the steps of `experiment`.

    Args:
        experiment: what to train, and how.
        outline: outline of the network.
    """
    plan = missed = main_plan(experiment, outline)
    if experiment.schedule == "speculative":
        missed = speculative(outline, _method(experiment, outline))
    return StepPlans(hit=plan, missed=missed, warmup=sequential(outline))


def main_plan(experiment: Experiment, outline: Outline) -> Plan:
    """Return the plan of a step that finds a cached sample for each key of its batch."""
    match experiment.schedule:
        case "sequential":
            return sequential(outline, experiment.engines)
        case "selective":
            return selective(outline)
        case "data-parallel":
            return data_parallel(outline)
        case "deferred":
            return deferred(outline, _method(experiment, outline))
        case "speculative":
            method = _method(experiment, outline)
            is_free = experiment.gate_metric == "none" and method.reuse == "activations"
            return (pipelined if is_free else speculative)(outline, method)


def _method(experiment: Experiment, outline: Outline) -> Method:
    reuse: Reuse = "activations" if experiment.reuse == "replay" else "masks"
    return Method(
        reuse,
        min(experiment.refresh or 0, len(outline.trained)),
        bool(experiment.balanced) and experiment.engines == 2,
        experiment.engines,
    )
