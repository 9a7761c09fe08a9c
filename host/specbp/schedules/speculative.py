"""The speculative schedule: backward from the cache while forward still runs, then the gate.

Two engines; engine 0 is the caller and does the forward, engine 1 works beside it:

    engine 0    forward -------------> gate    redo    weight gradients    update
    engine 1    recall  speculative deltas             weight gradients    store

The *speculative backward* propagates deltas from the cached softmax through the cached masks with
the current weights. For rejected samples this is *redone* from their actual outcome. Weight
gradients follow, for the whole batch at once: accepted samples meet their speculated deltas, with
`outcomes` at the layer inputs of the forward just done, with `replay` at the cached ones.
*Balanced* engines share the weight gradients, whoever is free; otherwise engine 1 does them.
Where there is no gate and `replay` needs nothing of the forward, nothing waits for it.

Results do not depend on timing: what an engine computes is fixed before it starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from specbp.schedules.outcome import Outcome, put, rows_of, slots_like
from specbp.schedules.passes import refresh_start
from specbp.schedules.sharing import SharedWork
from specbp.schedules.spans import Recorder, Span
from specbp.schedules.step import (
    BatchGradients,
    StepWeights,
    Task,
    shared_update,
    speculative_times,
)


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

    def merged(self, speculated: Tensor, redone: Tensor) -> Tensor:
        """Return rows for the whole batch, in its order, and in new memory.

        Args:
            speculated: a row for each sample that was speculated on.
            redone: a row for each rejected sample.
        """
        size = len(self.accepted) + len(self.rejected)
        whole = slots_like(redone, size)
        put(whole, self.accepted, rows_of(speculated, self.accepted_rows))
        put(whole, self.rejected, redone)
        return whole


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
        self._costs: dict[str, float] = {}

    def gradients(self, weights: StepWeights, images: Tensor, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, speculated where accepted."""
        step = Step(weights, images, labels, Recorder())
        seen = self._cache.seen(labels)
        if self._needs_nothing_of_forward and bool(seen.all()):
            return self._without_gate(step)
        return self._with_gate(step, seen)

    def share(self, tasks: Sequence[Task]) -> list[Span]:
        """Do the tasks of the update on both engines, or on engine 1's side of one."""
        return shared_update(self._engine, tasks)

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
        work = SharedWork(self._chain, step.recorder, self._costs)
        speculated = self._engine.submit(partial(self._speculate_freely, step, work))
        outcome, losses = self._forward(step)
        gradients = self._finish(step, work, speculated)
        everything = torch.ones_like(step.labels, dtype=torch.bool)
        return self._done(step, outcome, losses, gradients, everything)

    def _with_gate(self, step: Step, seen: Tensor) -> BatchGradients:
        """Speculate on the samples that were `seen`, bool [batch], and let the gate decide."""
        known = step.labels if bool(seen.all()) else step.labels[seen]
        recalled: Pending[Outcome | None] = Done(None)
        speculated: Pending[list[Delta]] = Done([])
        if len(known):
            recalled = self._engine.submit(partial(self._recall, step, known))
            speculated = self._engine.submit(partial(self._speculate, step, recalled, known))
        outcome, losses = self._forward(step)
        verdict = self._decide(step, outcome, seen, recalled)
        deltas, inputs = self._settle(step, recalled, speculated, outcome, verdict)
        work = SharedWork(self._chain, step.recorder, self._costs)
        for index, delta in deltas:
            work.put(index, inputs[index], delta)
        work.close()
        gradients = self._finish(step, work, self._engine.submit(partial(work.work, 1)))
        accepted = torch.zeros_like(seen)
        accepted[verdict.accepted] = True
        return self._done(step, outcome, losses, gradients, accepted)

    def _finish(self, step: Step, work: SharedWork, on_engine_1: Pending[None]) -> list[Weights]:
        """Do weight gradients with engine 1, where balanced, and return them all."""
        if self._method.balanced:
            work.work(0)
        with step.recorder.span(0, "wait"):
            on_engine_1.result()
        return work.results()

    def _forward(self, step: Step) -> tuple[Outcome, Tensor]:
        with step.recorder.span(0, "forward"):
            return self._chain.forward(step.weights.ahead, step.images, step.labels)

    def _done(
        self,
        step: Step,
        outcome: Outcome,
        losses: Tensor,
        gradients: Sequence[Weights],
        accepted: Tensor,
    ) -> BatchGradients:
        step.recorder.spans += self._stored.result()  # of the step before, done long ago
        # Not before, since engine 1 reads the cache until here; and on engine 1, which has time
        # while the weights are updated and comes to recall from it only afterwards.
        self._cache.note(step.labels)
        self._stored = self._engine.submit(partial(self._store, outcome))
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=step.recorder.spans,
            sum_up=speculative_times,
            accepted=accepted,
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
        try:
            cached = self._recall(step, step.labels)
            with step.recorder.span(1, "input gradient"):
                deltas = self._deltas(step, cached, cached.labels)
            for index, delta in deltas:
                work.put(index, cached.inputs[index], delta)
        finally:
            work.close()  # engine 0 waits for it, also after an error
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
        step: Step,
        recalled: Pending[Outcome | None],
        speculated: Pending[list[Delta]],
        outcome: Outcome,
        verdict: Verdict,
    ) -> tuple[list[Delta], Sequence[Tensor | None]]:
        """Return the deltas of the whole batch, and the layer inputs that they meet.

        Speculated where accepted, otherwise redone by an ordinary backward.
        """
        if not len(verdict.rejected):
            cached = recalled.result()
            assert cached is not None
            with step.recorder.span(0, "wait"):
                kept = speculated.result()
            return kept, cached.inputs if self._method.reuse == "replay" else outcome.inputs
        with step.recorder.span(0, "redo"):
            rejected = outcome.rows(verdict.rejected) if len(verdict.accepted) else outcome
            redone = self._deltas(step, rejected, rejected.labels)
        if not len(verdict.accepted):
            return redone, outcome.inputs
        with step.recorder.span(0, "wait"):
            kept = speculated.result()
        with step.recorder.span(0, "redo"):
            deltas = [
                (index, verdict.merged(one, other))
                for (index, one), (_, other) in zip(kept, redone, strict=True)
            ]
            cached = recalled.result()
            if self._method.reuse == "outcomes" or cached is None:
                return deltas, outcome.inputs
            inputs = [
                None if one is None or other is None else verdict.merged(one, other)
                for one, other in zip(cached.inputs, rejected.inputs, strict=True)
            ]
            return deltas, inputs


def _positions(mask: Tensor) -> Tensor:
    return mask.nonzero()[:, 0]
