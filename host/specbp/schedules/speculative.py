"""The speculative schedule: backward from the cache while forward still runs, then the gate.

Two engines; engine 0 is the caller and does the forward, engine 1 works beside it:

    engine 0    load  forward -------> gate    redo    weight gradients
    engine 1    recall  speculative deltas             weight gradients    store

The *speculative backward* propagates deltas from the cached softmax through the cached masks with
the current weights. For rejected samples this is *redone* from their actual outcome. Weight
gradients follow, for the whole batch at once: accepted samples meet their speculated deltas, with
`outcomes` at the layer inputs of the forward just done, with `replay` at the cached ones.
*Balanced* engines share the weight gradients; otherwise engine 1 does them.
Where there is no gate and `replay` needs nothing of the forward, nothing waits for it.

Results do not depend on timing: what an engine computes is fixed before it starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from specbp.experiment import Reuse
from specbp.network import Weights
from specbp.runtime.spans import Recorder, Span
from specbp.schedules.cache import Cache, without_inputs
from specbp.schedules.chain import Chain, Delta
from specbp.schedules.device import Device
from specbp.schedules.engines import Done, Engine, Pending
from specbp.schedules.gate import Gate, OpenGate
from specbp.schedules.outcome import Outcome
from specbp.schedules.passes import refresh_start
from specbp.schedules.sharing import Costs, DividedWork
from specbp.schedules.step import (
    BatchGradients,
    Load,
    StepWeights,
    speculative_times,
)
from specbp.schedules.verdict import ByMask, Verdict


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


class Step(NamedTuple):
    """One step in progress: what all its parts need; a tuple, since engine 1 waits for it.

    Attributes:
        weights: what the passes read.
        load: gives the images of the batch.
        labels: int64 [batch].
        recorder: of its spans.
    """

    weights: StepWeights
    load: Load
    labels: Tensor
    recorder: Recorder


@dataclass(frozen=True)
class Begun:
    """A step at the gate.

    Attributes:
        step: which.
        seen: of each sample whether it is speculated on, bool [batch].
        recalled: their cached outcomes, refreshed; None where there is none.
        speculated: their deltas.
        outcome: of the forward of all samples.
        losses: likewise.
    """

    step: Step
    seen: Tensor
    recalled: Pending[Outcome | None]
    speculated: Pending[list[Delta]]
    outcome: Outcome
    losses: Tensor

    def joined(self) -> Begun:
        """Wait until engine 1 has speculated."""
        with self.step.recorder.span(0, "wait"):
            recalled, speculated = self.recalled.result(), self.speculated.result()
        return replace(self, recalled=Done(recalled), speculated=Done(speculated))

    def in_copy(self) -> Begun:
        """Return the same with spans of its own from here on, for one of several ends."""
        recorder = self.step.recorder.in_copy()
        return replace(self, step=self.step._replace(recorder=recorder))


class Speculative:
    """Speculative backpropagation over a cache.

    Args:
        chain: the passes.
        cache: the last outcome for each key.
        gate: decides which speculated gradients are kept.
        method: what is speculated with.
        engine: engine 1.
        device: what the engines run on.

    Attributes:
        cache: as given.
        costs: of the passes, as far as they were measured.
    """

    def __init__(
        self,
        chain: Chain,
        cache: Cache,
        gate: Gate,
        method: Method,
        engine: Engine,
        device: Device,
    ) -> None:
        self._chain = chain
        self.cache = cache
        self._gate = gate
        self._method = method
        self._engine = engine
        self._device = device
        self._stored: Pending[list[Span]] = Done([])
        self._true = torch.ones((), dtype=torch.bool, device=device.place)
        self._all = self._true
        self.costs = Costs()

    @property
    def rejects_none(self) -> bool:
        """Whether everything is accepted that was speculated on."""
        return isinstance(self._gate, OpenGate)

    def seen(self, labels: Tensor) -> Tensor:
        """Return for each sample whether it would be speculated on: bool [batch]."""
        return self.cache.seen(labels)

    def gradients(self, weights: StepWeights, load: Load, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch, speculated where accepted."""
        if self.rejects_none and self.cache.sees_all(labels):
            return self.gradients_if_all_accepted(weights, load, labels)
        begun = self.begin(weights, load, labels, self.cache.seen(labels))
        return self.end(begun, self._decide(begun))

    def gradients_if_all_accepted(
        self, weights: StepWeights, load: Load, labels: Tensor
    ) -> BatchGradients:
        """Return `gradients` where all samples were seen and the gate, if any, accepts them."""
        if self._method.reuse == "replay":
            return self._gradients_of_cached(
                Step(weights, load, labels, Recorder(self._device.now))
            )
        begun = self.begin(weights, load, labels)
        return self.end(begun, ByMask(self._everything(labels), "all"))

    def begin(
        self,
        weights: StepWeights,
        load: Load,
        labels: Tensor,
        seen: Tensor | None = None,
    ) -> Begun:
        """Do a step up to the gate: speculate on the samples that were `seen`, run forward.

        Args:
            weights: see `Schedule.gradients`, likewise for the rest.
            load: of the batch.
            labels: likewise.
            seen: bool [batch]; None for all.
        """
        step = Step(weights, load, labels, Recorder(self._device.now))
        known = labels if seen is None or bool(seen.all()) else labels[seen]
        recalled: Pending[Outcome | None] = Done(None)
        speculated: Pending[list[Delta]] = Done([])
        if len(known):
            recalled = self._engine.submit(partial(self._recall, step, known))
            speculated = self._engine.submit(partial(self._speculate, step, recalled, known))
        outcome, losses = self._forward(step)
        if seen is None:
            seen = self._everything(labels)
        return Begun(step, seen, recalled, speculated, outcome, losses)

    def accept(self, begun: Begun) -> Tensor:
        """Ask the gate: return of each sample speculated on whether it is accepted, bool."""
        recorder = begun.step.recorder
        with recorder.span(0, "wait"):
            cached = begun.recalled.result()
        with recorder.span(0, "gate"):
            if cached is None:
                return torch.zeros_like(begun.seen[:0])
            everything = len(cached.labels) == len(begun.seen)
            actual = begun.outcome.probabilities
            return self._gate(actual if everything else actual[begun.seen], cached.probabilities)

    def end(self, begun: Begun, verdict: Verdict) -> BatchGradients:
        """Do the rest of a step after the gate."""
        step, outcome = begun.step, begun.outcome
        deltas, inputs = self._settle(begun, verdict)
        work = self._open_work(step, 0.0, 0.0)
        for index, delta in deltas:
            work.put(index, inputs[index], delta)
        work.close()
        gradients = self._finish(step, work, self._engine.submit(partial(work.work, 1)))
        return self._done(step, outcome, begun.losses, gradients, verdict.accepted)

    def join(self) -> list[Span]:
        """Wait until the cache has taken in the last step, and return the spans of that."""
        spans = self._stored.result()
        self._stored = Done([])
        return spans

    def state(self) -> dict[str, Any]:
        """Return the state of cache and gate."""
        self._stored.result()
        return {"cache": self.cache.state(), "gate": self._gate.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._stored.result()
        self.cache.restore(state["cache"])
        self._gate.restore(state["gate"])

    def close(self) -> None:
        """Give engine 1 back."""
        self._engine.close()

    def _gradients_of_cached(self, step: Step) -> BatchGradients:
        """Replay a batch: nothing of the backward needs anything of the forward."""
        work = self._open_work(step, self.costs.forward, self.costs.deltas)
        speculated = self._engine.submit(partial(self._speculate_freely, step, work))
        outcome, losses = self._forward(step)
        gradients = self._finish(step, work, speculated)
        return self._done(step, outcome, losses, gradients, self._everything(step.labels))

    def _open_work(self, step: Step, free_0: float, free_1: float) -> DividedWork:
        """Make what is shared by the engines, which are free at these times, s."""
        free_at = {0: free_0, 1: free_1} if self._method.balanced else {1: free_1}
        return self._device.open_work(self._chain, step.recorder, self.costs, free_at)

    def _finish(self, step: Step, work: DividedWork, on_engine_1: Pending[None]) -> list[Weights]:
        """Do engine 0's part of the weight gradients; return the gradients."""
        work.work(0)
        with step.recorder.span(0, "wait"):
            on_engine_1.result()
        return work.finish()

    def _forward(self, step: Step) -> tuple[Outcome, Tensor]:
        images = step.load()
        with step.recorder.span(0, "forward"):
            found = self._chain.forward(step.weights.ahead, images, step.labels)
        self.cache.offer(self._worth_keeping(found[0]))
        return found

    def _done(
        self,
        step: Step,
        outcome: Outcome,
        losses: Tensor,
        gradients: Sequence[Weights],
        accepted: Tensor,
    ) -> BatchGradients:
        step.recorder.spans += self.join()  # of the step before, done long ago
        # Not before, since engine 1 reads the cache until here.
        self.cache.note(step.labels)
        if self.cache.copies:  # engine 1 has time now, and recalls only afterwards
            self._stored = self._engine.submit(partial(self._store, outcome))
        else:
            self.cache.store(self._worth_keeping(outcome))
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=step.recorder.spans,
            sum_up=speculative_times,
            accepted=accepted,
        )

    def _store(self, outcome: Outcome) -> list[Span]:
        recorder = Recorder(self._device.now)
        with recorder.span(1, "store"):
            self.cache.store(self._worth_keeping(outcome))
        return recorder.spans

    def _everything(self, labels: Tensor) -> Tensor:
        """Return that all samples are meant, bool [batch]; not to be written."""
        if self._all.shape != labels.shape:
            self._all = self._true.expand_as(labels)
        return self._all

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
                step.weights.current, self.cache.recall(labels), self._method.refresh
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

    def _speculate_freely(self, step: Step, work: DividedWork) -> None:
        """Hand out all weight gradients without waiting for anything, then do what is there."""
        try:
            cached = self._recall(step, step.labels)
            deltas = self._chain.deltas_in_turn(
                step.weights.current, cached, cached.labels, len(step.labels)
            )
            with step.recorder.span(1, "input gradient"):
                for index, delta in deltas:
                    work.put(index, cached.inputs[index], delta)
        except BaseException:
            work.abandon()
            raise
        work.close()
        work.work(1)

    def _deltas(self, step: Step, outcome: Outcome, labels: Tensor) -> list[Delta]:
        return self._chain.deltas(step.weights.current, outcome, labels, len(step.labels))

    def _decide(self, begun: Begun) -> Verdict:
        accept = self.accept(begun)
        with begun.step.recorder.span(0, "gate"):
            return self._device.decide(begun.seen, accept)

    def _settle(
        self, begun: Begun, verdict: Verdict
    ) -> tuple[list[Delta], Sequence[Tensor | None]]:
        """Return the deltas of the whole batch, and the layer inputs that they meet.

        Speculated where accepted, otherwise redone by an ordinary backward.
        """
        step, outcome, accepts = begun.step, begun.outcome, verdict.accepts
        if accepts == "all":
            cached = begun.recalled.result()
            assert cached is not None
            with step.recorder.span(0, "wait"):
                kept = begun.speculated.result()
            return kept, cached.inputs if self._method.reuse == "replay" else outcome.inputs
        with step.recorder.span(0, "redo"):
            rejected = verdict.rejected(outcome)
            redone = self._deltas(step, rejected, rejected.labels)
        if accepts == "none":
            return redone, outcome.inputs
        with step.recorder.span(0, "wait"):
            kept = begun.speculated.result()
        with step.recorder.span(0, "redo"):
            deltas = [
                (index, verdict.merged(one, other))
                for (index, one), (_, other) in zip(kept, redone, strict=True)
            ]
            cached = begun.recalled.result()
            if self._method.reuse == "outcomes" or cached is None:
                return deltas, outcome.inputs
            inputs = [
                None if one is None or other is None else verdict.merged(one, other)
                for one, other in zip(cached.inputs, rejected.inputs, strict=True)
            ]
            return deltas, inputs
