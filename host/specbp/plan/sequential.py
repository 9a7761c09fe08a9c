"""Ordinary backpropagation, on one engine or with the weight gradients beside the input gradients.

Two engines give the same bits as one: a task does not depend on who executes it.
"""

from __future__ import annotations

from specbp.plan.outline import Outline
from specbp.plan.tasks import Plan, PlanBuilder


def sequential(outline: Outline, engines: int = 1) -> Plan:
    """Return the plan of a sequential step.

    Args:
        outline: the network.
        engines: 1, or 2: engine 0 propagates, weight gradients and updates run on either.
    """
    plan = PlanBuilder("sequential", outline, engines)
    forward = plan.forward(plan.load(), engine=0)
    grads = plan.input_grad(forward, engine=0)
    gradients = plan.weight_grad([grads], forward, engine=None)
    plan.update([gradients], engine=None)
    return plan.build()
