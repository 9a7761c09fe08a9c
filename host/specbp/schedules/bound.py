"""How fast a schedule could be at best, from how long the passes take on their own."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.experiment import Reuse


@dataclass(frozen=True)
class Passes:
    """Times of the passes of one batch, each alone on one engine, all in the same unit.

    Attributes:
        forward: F.
        input_gradients: the part of the backward that propagates deltas.
        weight_gradients: the part of the backward that gives gradients.
    """

    forward: float
    input_gradients: float
    weight_gradients: float

    @property
    def backward(self) -> float:
        """B, the whole ordinary backward."""
        return self.input_gradients + self.weight_gradients


def speculative_bound(passes: Passes, reuse: Reuse, engines: int, accept_rate: float) -> float:
    """Return the ideal time of a speculative batch over sequential F + B on one engine.

    Two engines. With `replay` the speculative backward needs nothing of the forward: the batch
    takes max(F, B), and then the forward engine redoes the rejected share r while the backward
    engine corrects the weight gradients for the smaller of both shares: max(F, B) + r·B. With
    `outcomes` the weight gradients wait for the layer inputs: max(F, D) + max((1 - r)·W, r·B),
    where D and W are the parts of B. On one engine nothing overlaps. Gate, cache and update are
    taken to cost nothing.
    """
    rejected = 1 - accept_rate
    redo = rejected * passes.backward
    if reuse == "replay":
        together = (passes.forward, passes.backward)
        settle = min(rejected, accept_rate) * passes.weight_gradients
    else:
        together = (passes.forward, passes.input_gradients)
        settle = accept_rate * passes.weight_gradients
    if engines == 1:
        ideal = sum(together) + settle + redo
    else:
        ideal = max(together) + max(settle, redo)
    return ideal / (passes.forward + passes.backward)
