"""The speculative schedule: backward from the cache while forward still runs, then the gate.

Two engines; the forward engine is the caller, the backward engine works beside it:

    forward engine    forward ----------------> gate   redo   store   update
    backward engine   speculative backward ---------->  settle

The *speculative backward* propagates deltas from the cached softmax through the cached masks with
the current weights. With `replay` the layer inputs are cached too, so it goes on to the weight
gradients at once. With `outcomes` those need the layer inputs of the forward that is running, so
they come after the gate.

To *settle* is to bring the speculated weight gradients to those of the accepted samples. With
`outcomes` they are computed for just these. With `replay` they are there for all: the rejected
samples' are taken out again or, when most were rejected, the accepted samples' computed anew.
Meanwhile the forward engine *redoes* the rejected samples: the ordinary backward.

Results do not depend on timing: what an engine computes is fixed before it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.experiment import Reuse
from specbp.network import Network, Weights
from specbp.schedules.cache import Cache
from specbp.schedules.engines import Done, Engine, Pending, Stopwatch
from specbp.schedules.gate import Gate
from specbp.schedules.passes import (
    Outcome,
    forward,
    input_gradients,
    only,
    weight_gradients,
)
from specbp.schedules.sequential import ordinary_deltas
from specbp.schedules.step import BatchGradients, PhaseTimes


@dataclass(frozen=True)
class Recalled:
    """Cached outcomes, a row per speculated sample (None where there are none), and the time."""

    outcome: Outcome | None
    recall_ms: float


@dataclass(frozen=True)
class Speculation:
    """What a speculative backward gave, a row per speculated sample.

    Attributes:
        deltas: gradient at the output of each layer with weights.
        inputs: cached layer inputs; all None with `outcomes`.
        gradients: weight gradients summed over all rows; None with `outcomes`.
        input_gradient_ms: time for the deltas.
        weight_gradient_ms: time for the gradients.
    """

    deltas: list[Tensor]
    inputs: tuple[Tensor | None, ...]
    gradients: list[Weights] | None
    input_gradient_ms: float
    weight_gradient_ms: float


@dataclass(frozen=True)
class Settled:
    """Weight gradients of the accepted samples (None where there are none), and the time."""

    gradients: list[Weights] | None
    settle_ms: float


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a batch.

    Attributes:
        accepted: positions in the batch of the accepted samples, ascending.
        rejected: positions in the batch of all others, those not speculated on included.
        accepted_rows: rows of the speculation that were accepted.
        rejected_rows: rows of the speculation that were not.
    """

    accepted: Tensor
    rejected: Tensor
    accepted_rows: Tensor
    rejected_rows: Tensor


class Speculative:
    """Speculative backpropagation over a cache.

    Args:
        network: the chain of layers.
        arithmetic: the number format.
        cache: the last outcome for each key.
        reuse: what of the cache a speculative backward uses.
        gate: decides which speculated gradients are kept.
        engine: the backward engine.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: Arithmetic,
        cache: Cache,
        reuse: Reuse,
        gate: Gate,
        engine: Engine,
    ) -> None:
        self._network = network
        self._arithmetic = arithmetic
        self._cache = cache
        self._reuse = reuse
        self._gate = gate
        self._engine = engine

    def gradients(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor
    ) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, speculated where accepted."""
        seen = self._cache.seen(labels)
        known = labels if bool(seen.all()) else labels[seen]
        recalled, speculated = self._speculate_beside(weights, known, len(labels))
        watch = Stopwatch()
        outcome, losses = forward(self._network, self._arithmetic, weights, images, labels)
        forward_ms = watch.lap_ms()
        verdict = self._decide(outcome, seen, known)
        settled: Pending[Settled] = Done(Settled(None, 0.0))
        if len(verdict.accepted):
            settled = self._engine.submit(partial(self._settle, speculated, outcome, verdict))
        gate_ms = watch.lap_ms()
        redone = self._redo(weights, outcome, verdict)
        redo_ms = watch.lap_ms()
        recall_ms = recalled.result().recall_ms
        wait_ms = watch.lap_ms()
        self._cache.store(outcome)
        store_ms = watch.lap_ms()
        speculation, kept = speculated.result(), settled.result()
        wait_ms += watch.lap_ms()
        weight_gradient_ms = speculation.weight_gradient_ms + kept.settle_ms
        return BatchGradients(
            self._sum(kept.gradients, redone),
            outcome.probabilities,
            losses,
            accepts=len(verdict.accepted),
            times=PhaseTimes(
                forward_ms,
                speculation.input_gradient_ms + weight_gradient_ms,
                weight_gradient_ms,
                gate_ms,
                redo_ms,
                recall_ms,
                store_ms,
                wait_ms,
            ),
        )

    def state(self) -> Outcome | None:
        """Return the cache's state."""
        return self._cache.state()

    def restore(self, state: Outcome | None) -> None:
        """Go on from `state`."""
        self._cache.restore(state)

    def close(self) -> None:
        """Give the backward engine back."""
        self._engine.close()

    def _speculate_beside(
        self, weights: Sequence[Weights], labels: Tensor, batch_size: int
    ) -> tuple[Pending[Recalled], Pending[Speculation]]:
        """Start the speculative backward of samples with `labels` on the backward engine.

        Reading the cache is work of its own, so that storing need not wait for all the rest.
        """
        if not len(labels):
            return Done(Recalled(None, 0.0)), Done(Speculation([], (), None, 0.0, 0.0))
        recalled = self._engine.submit(partial(self._recall, labels))
        speculate = partial(self._speculate, recalled, weights, labels, batch_size)
        return recalled, self._engine.submit(speculate)

    def _recall(self, labels: Tensor) -> Recalled:
        watch = Stopwatch()
        return Recalled(self._cache.recall(labels), watch.lap_ms())

    def _speculate(
        self,
        recalled: Pending[Recalled],
        weights: Sequence[Weights],
        labels: Tensor,
        batch_size: int,
    ) -> Speculation:
        cached = recalled.result().outcome
        assert cached is not None
        watch = Stopwatch()
        # A delta belongs to the sample whose layer inputs it will meet: with `replay` that is the
        # cached one, whose label differs from the current one's when the key is not the label.
        whose = cached.labels if self._reuse == "replay" else labels
        delta = self._arithmetic.logit_gradient(cached.probabilities, whose, batch_size)
        deltas = input_gradients(self._network, self._arithmetic, weights, cached.masks, delta)
        input_gradient_ms = watch.lap_ms()
        gradients = None
        if self._reuse == "replay":
            gradients = self._weight_gradients(cached.inputs, deltas)
        return Speculation(deltas, cached.inputs, gradients, input_gradient_ms, watch.lap_ms())

    def _decide(self, outcome: Outcome, seen: Tensor, known: Tensor) -> Verdict:
        accept = torch.zeros_like(known, dtype=torch.bool)
        if len(known):
            actual = outcome.probabilities
            if len(known) < len(seen):
                actual = actual[seen]
            accept = self._gate(actual, self._cache.probabilities(known))
        accepted = torch.zeros_like(seen).masked_scatter_(seen, accept)
        return Verdict(*(_positions(m) for m in (accepted, ~accepted, accept, ~accept)))

    def _settle(
        self, speculated: Pending[Speculation], outcome: Outcome, verdict: Verdict
    ) -> Settled:
        """Bring the speculated weight gradients to those of the accepted samples."""
        done = speculated.result()
        watch = Stopwatch()
        if done.gradients is None:
            inputs = only(outcome.inputs, verdict.accepted)
            deltas = only(done.deltas, verdict.accepted_rows)
            gradients = self._weight_gradients(inputs, deltas)
        elif not len(verdict.rejected_rows):
            gradients = done.gradients
        elif len(verdict.rejected_rows) <= len(verdict.accepted_rows):
            inputs = only(done.inputs, verdict.rejected_rows)
            negated = [-delta for delta in only(done.deltas, verdict.rejected_rows)]
            gradients = self._arithmetic.add(
                done.gradients, self._weight_gradients(inputs, negated)
            )
        else:
            inputs = only(done.inputs, verdict.accepted_rows)
            deltas = only(done.deltas, verdict.accepted_rows)
            gradients = self._weight_gradients(inputs, deltas)
        return Settled(gradients, watch.lap_ms())

    def _redo(
        self, weights: Sequence[Weights], outcome: Outcome, verdict: Verdict
    ) -> list[Weights] | None:
        """Return the ordinary weight gradients of the rejected samples, None if there are none."""
        if not len(verdict.rejected):
            return None
        rejected = outcome
        if len(verdict.accepted):
            rejected = outcome.rows(verdict.rejected)
        deltas = ordinary_deltas(
            self._network, self._arithmetic, weights, rejected, len(outcome.labels)
        )
        return self._weight_gradients(rejected.inputs, deltas)

    def _weight_gradients(
        self, inputs: Sequence[Tensor | None], deltas: Sequence[Tensor]
    ) -> list[Weights]:
        return weight_gradients(self._network, self._arithmetic, inputs, deltas)

    def _sum(self, kept: list[Weights] | None, redone: list[Weights] | None) -> Sequence[Weights]:
        if kept is None or redone is None:
            both = kept or redone
            assert both is not None
            return both
        return self._arithmetic.add(kept, redone)


def _positions(mask: Tensor) -> Tensor:
    return mask.nonzero()[:, 0]
