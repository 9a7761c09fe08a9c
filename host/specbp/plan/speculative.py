"""Speculative backpropagation over a cache: the method, in its four steps.

engine 0    load  forward -------------> gate    redo    weight gradients  update  commit
engine 1    lookup  input gradients              redo    weight gradients  update  commit
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specbp.plan.outline import Outline
from specbp.plan.tasks import Plan, PlanBuilder, Rows, masks_of

Reuse = Literal["masks", "activations"]


@dataclass(frozen=True)
class Method:
    """What is speculated with.

    Attributes:
        reuse: masks: cached softmax and masks meet the layer inputs of the batch; activations:
            everything comes from the cache.
        refresh: trailing nodes with weights that are evaluated again from the cache.
        balanced: both engines do weight gradients.
        engines: number of engines, 1 or 2.
    """

    reuse: Reuse
    refresh: int = 0
    balanced: bool = True
    engines: int = 2

    @property
    def labels(self) -> Rows:
        """Samples whose labels are the targets: those whose layer inputs meet the gradient."""
        return "cached" if self.reuse == "activations" else "batch"


def speculative(outline: Outline, method: Method) -> Plan:
    """Return the plan of a step with a gate.

    Args:
        outline: the network.
        method: what is speculated with.
    """
    plan = PlanBuilder("speculative", outline, method.engines)
    saved = saved_nodes(outline, method)
    any_engine = None if method.balanced else 1

    # 1. Engine 0 runs the forward. At the same time engine 1 propagates from the cached saved
    #    forward, with the current weights.
    looked_up = plan.lookup(engine=1, nodes=saved, spare=any_engine)
    cached = plan.refresh(looked_up, method.refresh, engine=1)
    speculated = plan.input_grad(cached, 1, "cached", labels=method.labels)
    forward = plan.forward(plan.load(), engine=0)

    # 2. When the forward ends, the gate compares actual and cached softmax of each sample.
    gate = plan.gate([forward[outline.loss], cached[outline.loss]])

    # 3. Accepted samples keep the speculated gradients, rejected ones get theirs now, on both
    #    engines. Weight gradients of the whole batch, and the update as they arrive.
    halves: list[Rows] = ["rejected"] if method.engines == 1 else ["rejected 0", "rejected 1"]
    redone = [plan.redo(forward, engine, half, [gate]) for engine, half in enumerate(halves)]
    inputs_ready = cached if method.reuse == "activations" else forward
    gradients = plan.weight_grad(
        [speculated, *redone], inputs_ready, any_engine, "merged", method.labels
    )
    plan.update([gradients], engine=None if method.balanced else 0)

    # 4. The cache takes the new saved forward.
    plan.commit(saved, forward, looked_up, any_engine)
    return plan.build()


def saved_nodes(outline: Outline, method: Method) -> list[int]:
    """Return the nodes whose saved tensors the cache holds.

    All with `activations`; with `masks` those that input gradients read. What a refresh evaluates
    again is not kept, but what it starts from is.
    """
    every = [node for node in range(len(outline.nodes)) if outline.saved_by(node)]
    if method.reuse == "masks":
        masks = masks_of(outline)
        every = [node for node in every if node in masks]
    if method.refresh:
        start, value = outline.refresh_start(method.refresh)
        every = [*(node for node in every if node < start and node != value), value]
    return every
