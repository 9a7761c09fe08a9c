"""The plans of an experiment: the one place that knows which schedule is which function."""

from __future__ import annotations

from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.plan.data_parallel import data_parallel
from specbp.plan.deferred import deferred
from specbp.plan.outline import Outline
from specbp.plan.pipelined import pipelined, unhurried
from specbp.plan.selective import selective
from specbp.plan.sequential import sequential
from specbp.plan.speculative import Method, Reuse, speculative
from specbp.plan.tasks import Plan, StepPlans


def step_plans(experiment: Experiment, outline: Outline) -> StepPlans:
    """Return the plans of the steps of `experiment`.

    Args:
        experiment: what to train, and how.
        outline: outline of the network.

    Raises:
        UsageError: the network has no such plans.
    """
    plan = missed = main_plan(experiment, outline)
    if experiment.schedule == "speculative":
        couples = any(node.couples for node in outline.nodes)
        missed = (unhurried if couples else speculative)(outline, _method(experiment, outline))
    return StepPlans(hit=plan, missed=missed, warmup=sequential(outline))


def require_whole_batches(experiment: Experiment, outline: Outline) -> None:
    """Refuse schedules that need gradients of some samples of a batch, where there are none.

    Behind a batch norm the gradient of a sample depends on all samples that were normalised with
    it.

    Raises:
        UsageError: the schedule treats samples of a batch apart, or a refresh would normalise
            anew; the message names the layer. Or a refresh begins inside a residual block.
    """
    if experiment.refresh:
        layers = min(experiment.refresh, len(outline.trained))
        try:
            start, _ = outline.refresh_start(layers)
        except ValueError as error:
            raise UsageError(
                f"refresh = {experiment.refresh} begins at layer {error}, beside which others "
                "hand on what was cached: take fewer layers, or 0"
            ) from error
        for node in outline.nodes[start:]:
            if node.couples or node.draws:
                raise UsageError(
                    f"refresh = {experiment.refresh} evaluates layer {node.name} again, whose "
                    "output is that of the step that was cached: take fewer layers, or 0"
                )
    coupling = next((node for node in outline.nodes if node.couples), None)
    how = experiment.gate_metric, experiment.key, experiment.reuse
    is_pipelined = experiment.schedule == "speculative" and how == ("none", "batch", "replay")
    if coupling is not None and experiment.schedule != "sequential" and not is_pipelined:
        raise UsageError(
            f"layer {coupling.name} normalises over the batch, and schedule = "
            f"{experiment.schedule} needs gradients of some of its samples alone: take sequential "
            "or pipelined, or a network with GroupNorm"
        )


def main_plan(experiment: Experiment, outline: Outline) -> Plan:
    """Return the plan of a step that finds a cached sample for each key of its batch.

    Raises:
        UsageError: the network has no such plan.
    """
    require_whole_batches(experiment, outline)
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
