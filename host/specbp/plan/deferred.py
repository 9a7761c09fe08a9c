"""Speculation whose gate never costs time: a rejected sample joins the next step.

    engine 0    load  forward -----------------------------> gate    weight gradients  update
    engine 1    lookup  input gradients  deferred samples            weight gradients  update

What a step rejects has its backward in the next one, from its own saved forward with the weights of
then, beside the forward; its gradient is one step late. Samples that the last step of a training
rejects are left out.
"""

from __future__ import annotations

from specbp.plan.outline import Outline
from specbp.plan.speculative import Method, saved_nodes
from specbp.plan.tasks import Plan, PlanBuilder


def deferred(outline: Outline, method: Method) -> Plan:
    """Return the plan of a step with a gate that puts off rejected samples.

    Args:
        outline: the network.
        method: what is speculated with.
    """
    plan = PlanBuilder("deferred", outline, method.engines)
    saved = saved_nodes(outline, method)
    any_engine = None if method.balanced else 1
    looked_up = plan.lookup(engine=1, nodes=saved, spare=any_engine)
    cached = plan.refresh(looked_up, method.refresh, engine=1)
    speculated = plan.input_grad(cached, 1, "cached", labels=method.labels)
    late = plan.input_grad({}, 1, "deferred", labels="deferred")
    forward = plan.forward(plan.load(), engine=0)
    gate = plan.gate([forward[outline.loss], cached[outline.loss]])
    inputs_ready = cached if method.reuse == "activations" else forward
    decided = dict.fromkeys(speculated, gate)
    gradients = [
        plan.weight_grad(
            [speculated, decided], inputs_ready, any_engine, "accepted", method.labels
        ),
        plan.weight_grad([late], {}, any_engine, "deferred", "deferred"),
    ]
    plan.update(gradients, engine=None if method.balanced else 0)
    plan.commit(saved, forward, looked_up, any_engine)
    return plan.build()
