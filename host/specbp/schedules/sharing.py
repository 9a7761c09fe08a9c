"""Weight gradients as tasks, one for each layer and part of the batch, done by any free engine.

A task gives the same bits whichever engine does it, and results are added up in a fixed order, so
nothing depends on who was faster.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Literal

from torch import Tensor

from specbp.network import Layer, Weights
from specbp.schedules.chain import Chain
from specbp.schedules.spans import Recorder

Part = Literal["weight gradient", "redo"]
"""Of accepted speculation, or of rejected samples; also the phase the time counts as."""


@dataclass(frozen=True)
class Task:
    """The weight gradient of one layer over some samples."""

    part: Part
    layer: Layer
    x: Tensor
    delta: Tensor


class SharedWork:
    """A queue of tasks and their results.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        producers: how many will `close` it; workers leave when all have and nothing is left.
    """

    def __init__(self, chain: Chain, recorder: Recorder, producers: int) -> None:
        self._network = chain.network
        self._arithmetic = chain.arithmetic
        self._recorder = recorder
        self._open = producers
        self._tasks: deque[Task] = deque()
        self._changed = Condition()
        self._results: dict[tuple[Part, str], Weights] = {}

    def put(self, part: Part, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        assert x is not None
        with self._changed:
            self._tasks.append(Task(part, self._network.layers[index], x, delta))
            self._changed.notify()

    def close(self) -> None:
        """Say that this producer has put its last task, or has failed."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine until there will be no more."""
        while True:
            with self._recorder.span(engine, "wait"):
                task = self._take()
            if task is None:
                return
            with self._recorder.span(engine, task.part, task.layer.name):
                gradient = self._arithmetic.weight_gradient(task.layer, task.x, task.delta)
            self._results[task.part, task.layer.name] = gradient

    def result(self, part: Part) -> list[Weights] | None:
        """Return the gradients of each layer with weights in forward order; None if none."""
        found = (self._results.get((part, layer.name)) for layer in self._network.layers)
        return [one for one in found if one is not None] or None

    def _take(self) -> Task | None:
        with self._changed:
            while not self._tasks and self._open:
                self._changed.wait()
            return self._tasks.popleft() if self._tasks else None
