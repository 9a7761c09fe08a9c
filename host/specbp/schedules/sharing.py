"""Weight gradients as tasks, one for each layer, done by whichever engine is free.

A task gives the same bits whoever does it, so nothing depends on who was faster.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event

from torch import Tensor

from specbp.network import Layer, Weights
from specbp.schedules.chain import Chain
from specbp.schedules.spans import Recorder


@dataclass(frozen=True)
class Task:
    """The weight gradient of one layer."""

    layer: Layer
    x: Tensor
    delta: Tensor


class SharedWork:
    """The weight gradients of a step: the costly ones are taken first, which balances best.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        costs: time of each layer's weight gradient by name, as measured before; kept up to date.
    """

    def __init__(self, chain: Chain, recorder: Recorder, costs: dict[str, float]) -> None:
        self._network = chain.network
        self._arithmetic = chain.arithmetic
        self._recorder = recorder
        self._costs = costs
        self._tasks: list[Task] = []
        self._is_complete = Event()
        self._results: dict[str, Weights] = {}

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        assert x is not None
        self._tasks.append(Task(self._network.layers[index], x, delta))

    def close(self) -> None:
        """Say that there will be no more tasks: workers begin, and leave when nothing is left."""
        self._tasks.sort(key=lambda task: self._costs.get(task.layer.name, 0.0))
        self._is_complete.set()

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine until there are no more."""
        if not self._is_complete.is_set():
            with self._recorder.span(engine, "wait"):
                self._is_complete.wait()
        while True:
            try:
                task = self._tasks.pop()  # the costliest of those left
            except IndexError:
                return
            started = time.perf_counter()
            with self._recorder.span(engine, "weight gradient", task.layer.name):
                gradient = self._arithmetic.weight_gradient(task.layer, task.x, task.delta)
            self._costs[task.layer.name] = time.perf_counter() - started
            self._results[task.layer.name] = gradient

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return [self._results[one.name] for one in self._network.layers if one.has_weights]
