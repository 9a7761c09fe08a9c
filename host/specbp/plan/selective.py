"""A control: no backward for samples whose loss is small.

The gradient stays that of the mean over the whole batch, with nothing from the skipped samples.
"""

from __future__ import annotations

from specbp.plan.outline import Outline
from specbp.plan.tasks import Plan, PlanBuilder


def selective(outline: Outline) -> Plan:
    """Return the plan of a selective step on one engine."""
    plan = PlanBuilder("selective", outline, engines=1)
    forward = plan.forward(plan.load(), engine=0)
    gate = plan.gate([forward[outline.loss]])
    grads = plan.input_grad(forward, 0, "kept", labels="kept", after=[gate])
    gradients = plan.weight_grad([grads], forward, 0, "kept", "kept")
    plan.update([gradients], engine=0)
    return plan.build()
