"""The speculative schedule: backward from the cache while forward still runs, then the gate.

Two engines; engine 0 is the caller and does the forward, engine 1 works beside it:

    engine 0    forward ------------------> gate    redo    weight gradients
    engine 1    recall  speculative deltas -------> weight gradients

The *speculative backward* propagates deltas from the cached softmax through the cached masks with
the current weights. Weight gradients of the accepted samples follow: with `replay` from the
cached layer inputs, with `outcomes` from those of the forward just done. Where nothing can be
rejected and everything is cached, they follow without waiting for the gate. Rejected samples are
*redone*: the ordinary backward. *Balanced* engines share all weight gradients, whoever is free.

Results do not depend on timing: what an engine computes is fixed before it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from specbp.experiment import Reuse
from specbp.network import Weights
from specbp.schedules.cache import Cache, without_inputs
from specbp.schedules.chain import Chain, Delta
from specbp.schedules.engines import Done, Engine, Pending
from specbp.schedules.gate import Gate, OpenGate
from specbp.schedules.outcome import Outcome, only
from specbp.schedules.passes import refresh_start
from specbp.schedules.sharing import SharedWork
from specbp.schedules.spans import Recorder, Span
from specbp.schedules.step import BatchGradients, StepWeights, speculative_times


@dataclass(frozen=True)
class Method:
    """What is speculated with.

    Attributes:
        reuse: what of the cache a speculative backward uses.
        refresh: trailing layers with weights that are evaluated again from the cache.
        balanced: both engines do weight gradients; needs two that work at the same time.
    """

    reuse: Reuse
    refresh: int
    balanced: bool


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a batch.

    Attributes:
        accepted: positions in the batch of the accepted samples, ascending.
        rejected: positions in the batch of all others, those not speculated on included.
        accepted_rows: rows of the speculation that were accepted.
    """

    accepted: Tensor
    rejected: Tensor
    accepted_rows: Tensor


@dataclass(frozen=True)
class Step:
    """One step in progress: what all its parts need.

    Attributes:
        weights: what the passes read.
        images: [batch, channels, height, width], encoded by the arithmetic.
        labels: int64 [batch].
        recorder: of its spans.
    """

    weights: StepWeights
    images: Tensor
    labels: Tensor
    recorder: Recorder


class Speculative:
    """Speculative backpropagation over a cache.

    Args:
        chain: the passes.
        cache: the last outcome for each key.
        gate: decides which speculated gradients are kept.
        method: what is speculated with.
        engine: engine 1.
    """

    def __init__(
        self,
        chain: Chain,
        cache: Cache,
        gate: Gate,
        method: Method,
        engine: Engine,
    ) -> None:
        self._chain = chain
        self._cache = cache
        self._gate = gate
        self._method = method
        self._engine = engine
        self._stored: Pending[list[Span]] = Done([])

    def gradients(self, weights: StepWeights, images: Tensor, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, speculated where accepted."""
        step = Step(weights, images, labels, Recorder())
        seen = self._cache.seen(labels)
        if self._needs_nothing_of_forward and bool(seen.all()):
            return self._without_gate(step)
        return self._with_gate(step, seen)

    def state(self) -> dict[str, Any]:
        """Return the state of cache and gate."""
        self._stored.result()
        return {"cache": self._cache.state(), "gate": self._gate.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._stored.result()
        self._cache.restore(state["cache"])
        self._gate.restore(state["gate"])

    def close(self) -> None:
        """Give engine 1 back."""
        self._engine.close()

    @property
    def _needs_nothing_of_forward(self) -> bool:
        """Whether nothing is rejected and all that the weight gradients need is cached."""
        return isinstance(self._gate, OpenGate) and self._method.reuse == "replay"

    def _without_gate(self, step: Step) -> BatchGradients:
        """Speculate on a batch whose samples all are cached, and keep everything."""
        work = SharedWork(self._chain, step.recorder, producers=1)
        speculated = self._engine.submit(partial(self._speculate_freely, step, work))
        outcome, losses = self._forward(step)
        if self._method.balanced:
            work.work(0)
        with step.recorder.span(0, "wait"):
            speculated.result()
        gradients = work.result("weight gradient")
        assert gradients is not None
        return self._done(step, outcome, losses, gradients, len(step.labels))

    def _with_gate(self, step: Step, seen: Tensor) -> BatchGradients:
        """Speculate on the samples that were `seen`, bool [batch], and let the gate decide."""
        known = step.labels if bool(seen.all()) else step.labels[seen]
        recalled: Pending[Outcome | None] = Done(None)
        deltas: Pending[list[Delta]] = Done([])
        if len(known):
            recalled = self._engine.submit(partial(self._recall, step, known))
            deltas = self._engine.submit(partial(self._speculate, step, recalled, known))
        balanced = self._method.balanced
        kept = SharedWork(self._chain, step.recorder, producers=2 if balanced else 1)
        redone = kept if balanced else SharedWork(self._chain, step.recorder, producers=1)
        outcome, losses = self._forward(step)
        verdict = self._decide(step, outcome, seen, recalled)
        with _closing(redone):
            settle = partial(self._settle, kept, recalled, deltas, outcome, verdict)
            settled = self._engine.submit(settle)
            self._redo(step, redone, outcome, verdict)
        redone.work(0)
        with step.recorder.span(0, "wait"):
            settled.result()
        gradients = self._sum(kept.result("weight gradient"), redone.result("redo"))
        return self._done(step, outcome, losses, gradients, len(verdict.accepted))

    def _forward(self, step: Step) -> tuple[Outcome, Tensor]:
        with step.recorder.span(0, "forward"):
            return self._chain.forward(step.weights.ahead, step.images, step.labels)

    def _done(
        self,
        step: Step,
        outcome: Outcome,
        losses: Tensor,
        gradients: Sequence[Weights],
        accepts: int,
    ) -> BatchGradients:
        step.recorder.spans += self._stored.result()  # of the step before, done long ago
        # Not before, since engine 1 reads the cache until here; and on engine 1, which has time
        # while the weights are updated and comes to recall from it only afterwards.
        self._cache.note(step.labels)
        self._stored = self._engine.submit(partial(self._store, outcome))
        spans = step.recorder.spans
        return BatchGradients(
            gradients, outcome.probabilities, losses, accepts, speculative_times(spans), spans
        )

    def _store(self, outcome: Outcome) -> list[Span]:
        recorder = Recorder()
        with recorder.span(1, "store"):
            self._cache.store(self._worth_keeping(outcome))
        return recorder.spans

    def _worth_keeping(self, outcome: Outcome) -> Outcome:
        if self._method.reuse == "replay":
            return outcome
        refresh = self._method.refresh
        return without_inputs(
            outcome, refresh_start(self._chain.network, refresh) if refresh else None
        )

    def _recall(self, step: Step, labels: Tensor) -> Outcome:
        with step.recorder.span(1, "recall"):
            return self._chain.refreshed(
                step.weights.current, self._cache.recall(labels), self._method.refresh
            )

    def _speculate(
        self, step: Step, recalled: Pending[Outcome | None], labels: Tensor
    ) -> list[Delta]:
        """Return the speculated delta at the output of each layer with weights, the last first."""
        cached = recalled.result()
        assert cached is not None
        # A delta belongs to the sample whose layer inputs it will meet: with `replay` that is the
        # cached one, whose label differs from the current one's when the key is not the label.
        whose = cached.labels if self._method.reuse == "replay" else labels
        with step.recorder.span(1, "input gradient"):
            return self._deltas(step, cached, whose)

    def _speculate_freely(self, step: Step, work: SharedWork) -> None:
        """Hand out all weight gradients without waiting for anything, then do what is there."""
        with _closing(work):
            cached = self._recall(step, step.labels)
            with step.recorder.span(1, "input gradient"):
                deltas = self._deltas(step, cached, cached.labels)
            for index, delta in deltas:
                work.put("weight gradient", index, cached.inputs[index], delta)
        work.work(1)

    def _deltas(self, step: Step, outcome: Outcome, labels: Tensor) -> list[Delta]:
        return self._chain.deltas(step.weights.current, outcome, labels, len(step.labels))

    def _decide(
        self, step: Step, outcome: Outcome, seen: Tensor, recalled: Pending[Outcome | None]
    ) -> Verdict:
        with step.recorder.span(0, "wait"):
            cached = recalled.result()
        with step.recorder.span(0, "gate"):
            accept = torch.zeros(0, dtype=torch.bool)
            if cached is not None:
                everything = len(cached.labels) == len(seen)
                actual = outcome.probabilities if everything else outcome.probabilities[seen]
                accept = self._gate(actual, cached.probabilities)
            accepted = torch.zeros_like(seen).masked_scatter_(seen, accept)
            return Verdict(_positions(accepted), _positions(~accepted), _positions(accept))

    def _settle(
        self,
        kept: SharedWork,
        recalled: Pending[Outcome | None],
        deltas: Pending[list[Delta]],
        outcome: Outcome,
        verdict: Verdict,
    ) -> None:
        """Hand out the weight gradients of the accepted samples, then do what is there."""
        with _closing(kept):
            cached = recalled.result()
            if cached is not None and len(verdict.accepted):
                rows = verdict.accepted_rows
                if self._method.reuse == "replay":
                    inputs = only(cached.inputs, rows)
                else:
                    inputs = only(outcome.inputs, verdict.accepted)
                for index, delta in deltas.result():
                    kept.put("weight gradient", index, inputs[index], only([delta], rows)[0])
        kept.work(1)

    def _redo(self, step: Step, redone: SharedWork, outcome: Outcome, verdict: Verdict) -> None:
        """Hand out the weight gradients of the rejected samples, after an ordinary backward."""
        if not len(verdict.rejected):
            return
        with step.recorder.span(0, "redo"):
            rejected = outcome.rows(verdict.rejected) if len(verdict.accepted) else outcome
            for index, delta in self._deltas(step, rejected, rejected.labels):
                redone.put("redo", index, rejected.inputs[index], delta)

    def _sum(self, kept: list[Weights] | None, redone: list[Weights] | None) -> list[Weights]:
        if kept is None or redone is None:
            both = kept or redone
            assert both is not None
            return both
        return self._chain.arithmetic.add(kept, redone)


@contextmanager
def _closing(work: SharedWork) -> Iterator[None]:
    """Close `work` at the end, also after an error: the other engine waits for it."""
    try:
        yield
    finally:
        work.close()


def _positions(mask: Tensor) -> Tensor:
    return mask.nonzero()[:, 0]
