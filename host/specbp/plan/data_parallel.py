"""A control: the batch split over two engines, each with forward and backward of its half.

The gradient is that of the sequential step up to rounding. What two engines gain so is what
speculation on two engines has to beat.
"""

from __future__ import annotations

from specbp.plan.outline import Outline
from specbp.plan.tasks import Plan, PlanBuilder, Rows


def data_parallel(outline: Outline) -> Plan:
    """Return the plan of a data-parallel step on two engines."""
    plan = PlanBuilder("data-parallel", outline, engines=2)
    images = plan.load()
    halves: tuple[Rows, Rows] = ("half 0", "half 1")
    gradients = []
    for engine, half in enumerate(halves):
        forward = plan.forward(images, engine, half)
        grads = plan.input_grad(forward, engine, half, labels=half)
        gradients.append(plan.weight_grad([grads], forward, engine, half, half))
    plan.update(gradients, engine=None)
    return plan.build()
