"""How fast a schedule could be at best, from how long the passes take on their own."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.schedules.accounting import Account


@dataclass(frozen=True)
class Passes:
    """Times of the passes of one batch, each alone on one engine, all in the same unit.

    Attributes:
        forward: F.
        input_gradients: D, the part of the backward that propagates deltas.
        weight_gradients: W, the part of the backward that gives gradients.
        update: U, of the weights with these gradients.
    """

    forward: float
    input_gradients: float
    weight_gradients: float
    update: float

    @property
    def backward(self) -> float:
        """B = D + W + U, all that follows the forward."""
        return self.input_gradients + self.weight_gradients + self.update

    @property
    def sequential(self) -> float:
        """F + B."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Overlap:
    """How a speculative schedule overlaps its passes.

    Attributes:
        engines: 1 or 2.
        balanced: both engines do weight gradients.
        free: nothing of the backward needs anything of the forward: no gate, and `replay`.
        accept_rate: accepted share a of the samples; r = 1 - a is rejected.
    """

    engines: int
    balanced: bool
    free: bool
    accept_rate: float


def speculative_bound(passes: Passes, overlap: Overlap) -> float:
    """Return the ideal time of a speculative batch over sequential F + B on one engine.

    Nothing but the passes is taken to cost time. On two engines the speculative deltas D run
    beside the forward; then the rejected share r is redone, r·D, and the weight gradients W of the
    whole batch follow. Each layer is updated, U, by whoever has time:

        max(F, D) + r·D + max(W, (W + U) / 2)     after the gate
        max(F, D) + r·D + (W + U) / 2             the same, balanced
        max(F, D + W, (F + B) / 2)                without a gate
        max(F, D, (F + B) / 2)                    the same, balanced

    Without a gate the rejected samples are those with nothing in the cache yet, whole batches of
    them at the beginning: that share of the time is sequential. With one engine nothing overlaps:
    F + D + r·D + W + U.
    """
    forward, deltas = passes.forward, passes.input_gradients
    weights, update = passes.weight_gradients, passes.update
    accepted, rejected = overlap.accept_rate, 1 - overlap.accept_rate
    if overlap.engines == 1:
        ideal = passes.sequential + rejected * deltas
    elif overlap.free:
        alone = deltas if overlap.balanced else deltas + weights
        together = max(forward, alone, passes.sequential / 2)
        ideal = accepted * together + rejected * passes.sequential
    else:
        rest = (weights + update) / 2
        if not overlap.balanced:
            rest = max(weights, rest)
        ideal = max(forward, deltas) + rejected * deltas + rest
    return ideal / passes.sequential


def beside_deltas_bound(passes: Passes) -> float:
    """Return the same for `SequentialOnTwo`: weight gradients beside deltas, forward alone.

        F + max(D, (D + W) / 2) + U / 2

    No division of whole layers does better.
    """
    deltas, weights = passes.input_gradients, passes.weight_gradients
    backward = max(deltas, (deltas + weights) / 2) + passes.update / 2
    return (passes.forward + backward) / passes.sequential


def ideal_shares(passes: Passes, bound: float, overlap: Overlap) -> dict[Account, float]:
    """Split an ideal step of `bound` times F + B over the accounts of `schedules.accounting`.

    Passes and update take their time divided by the engines, rejected deltas are redone on one
    engine, and what is left of the bound is an engine that has nothing to do.

    Returns:
        Times in the unit of `passes`; the accounts left out are empty in an ideal step.
    """
    redo = (1 - overlap.accept_rate) * passes.input_gradients
    speculated = passes.sequential - passes.update - (redo if overlap.free else 0)
    computing, update = speculated / overlap.engines, passes.update / overlap.engines
    imbalance = bound * passes.sequential - computing - update - redo
    return {"passes": computing, "redo": redo, "update": update, "imbalance": imbalance}
