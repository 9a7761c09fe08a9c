"""Backward of the cached samples beside the forward of the batch, with nothing to decide.

With the previous batch as the cache this is one-step delayed, pipelined SGD. Nothing of the
backward needs anything of the forward, so that nothing waits for it but the update, which
overwrites the weights that the forward reads.
"""

from __future__ import annotations

from specbp.plan.outline import Outline
from specbp.plan.speculative import Method, saved_nodes
from specbp.plan.tasks import Plan, PlanBuilder


def pipelined(outline: Outline, method: Method) -> Plan:
    """Return the plan of a step in which every sample is cached and accepted, with activations.

    Args:
        outline: the network.
        method: what is speculated with; `reuse` is activations.
    """
    plan = PlanBuilder("pipelined", outline, method.engines)
    saved = saved_nodes(outline, method)
    any_engine = None if method.balanced else 1
    looked_up = plan.lookup(engine=1, nodes=saved)
    cached = plan.refresh(looked_up, method.refresh, engine=1)
    forward = plan.forward(plan.load(), engine=0)
    grads = plan.input_grad(cached, 1, "cached", labels="cached")
    gradients = plan.weight_grad([grads], cached, any_engine, "cached", "cached")
    plan.update([gradients], engine=None if method.balanced else 0)
    plan.commit(saved, forward, looked_up, any_engine)
    return plan.build()


def unhurried(outline: Outline, method: Method) -> Plan:
    """Return the plan of a step whose batch has its own backward, and is cached for the next one.

    That is the first step of a network with batch norm: none of its samples has a backward alone.

    Args:
        outline: the network.
        method: what is speculated with.
    """
    plan = PlanBuilder("pipelined", outline, method.engines)
    forward = plan.forward(plan.load(), engine=0)
    grads = plan.input_grad(forward, engine=0)
    gradients = plan.weight_grad([grads], forward, engine=None)
    plan.update([gradients], engine=None)
    plan.commit(saved_nodes(outline, method), forward, {}, engine=None)
    return plan.build()
