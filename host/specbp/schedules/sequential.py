"""The sequential schedule: forward, then backward, on one engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from specbp.network import Weights
from specbp.runtime.spans import Now, Recorder
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Done, Engine, Pending
from specbp.schedules.outcome import Outcome
from specbp.schedules.step import (
    BatchGradients,
    Load,
    RemembersNothing,
    StepWeights,
    sequential_times,
    speculative_times,
)


class Sequential(RemembersNothing):
    """Ordinary backpropagation; remembers nothing between batches.

    Args:
        chain: the passes.
        now: the clock.
    """

    def __init__(self, chain: Chain, now: Now) -> None:
        self._chain = chain
        self._now = now

    def gradients(self, weights: StepWeights, load: Load, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch."""
        recorder = Recorder(self._now)
        images = load()
        with recorder.span(0, "forward"):
            outcome, losses = self._chain.forward(weights.ahead, images, labels)
        gradients = ordinary_gradients(
            self._chain, weights.current, outcome, len(labels), recorder, 0
        )
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=recorder.spans,
            sum_up=sequential_times,
        )

    def close(self) -> None:
        """Do nothing: the engine is the caller's own."""


class SequentialOnTwo(RemembersNothing):
    """The same gradients, bit for bit, with weight gradients beside the propagation of deltas.

    Engine 1 computes the weight gradient of a layer while engine 0 propagates the delta further
    down; that of the first layer, whose delta is the last, is left to engine 0. What two streams
    of a GPU gain so, without speculation, is what speculation on two streams has to beat.

    Args:
        chain: the passes.
        engine: engine 1.
        now: the clock.
    """

    def __init__(self, chain: Chain, engine: Engine, now: Now) -> None:
        self._chain = chain
        self._engine = engine
        self._now = now

    def gradients(self, weights: StepWeights, load: Load, labels: Tensor) -> BatchGradients:
        """Return the gradients of the mean loss of a batch."""
        recorder = Recorder(self._now)
        images = load()
        with recorder.span(0, "forward"):
            outcome, losses = self._chain.forward(weights.ahead, images, labels)
        first = self._chain.network.first_weights
        pending: list[Pending[Weights]] = []
        deltas = self._chain.deltas_in_turn(weights.current, outcome, labels, len(labels))
        with recorder.span(0, "input gradient"):
            for index, delta in deltas:
                if index != first:
                    task = partial(self._weight_gradient, recorder, 1, outcome, index, delta)
                    pending.append(self._engine.submit(task))
        pending.append(Done(self._weight_gradient(recorder, 0, outcome, first, delta)))
        with recorder.span(0, "wait"):
            gradients = [one.result() for one in reversed(pending)]
        return BatchGradients(
            gradients,
            outcome.probabilities,
            losses,
            spans=recorder.spans,
            sum_up=speculative_times,
        )

    def close(self) -> None:
        """Give engine 1 back."""
        self._engine.close()

    def _weight_gradient(
        self, recorder: Recorder, engine: int, outcome: Outcome, index: int, delta: Tensor
    ) -> Weights:
        layer, x = self._chain.network.layers[index], outcome.inputs[index]
        assert x is not None
        with recorder.span(engine, "weight gradient", layer.name):
            return self._chain.weight_gradient(layer, x, delta)


def ordinary_gradients(
    chain: Chain,
    weights: Sequence[Weights],
    outcome: Outcome,
    batch_size: int,
    recorder: Recorder,
    engine: int,
) -> list[Weights]:
    """Return the weight gradients of the samples of `outcome`, from an ordinary backward.

    `batch_size` is that of the whole step, also when `outcome` holds only some of its samples.
    """
    with recorder.span(engine, "input gradient"):
        deltas = chain.deltas(weights, outcome, outcome.labels, batch_size)
    with recorder.span(engine, "weight gradient"):
        return chain.weight_gradients(outcome.inputs, deltas)
