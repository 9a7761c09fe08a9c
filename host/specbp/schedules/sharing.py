"""Weight gradients as tasks, one for each layer, done by whichever engine is free.

A task gives the same bits whoever does it, so nothing depends on who was faster.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

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
    """A queue of tasks and their results.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
    """

    def __init__(self, chain: Chain, recorder: Recorder) -> None:
        self._network = chain.network
        self._arithmetic = chain.arithmetic
        self._recorder = recorder
        self._is_open = True
        self._tasks: deque[Task] = deque()
        self._changed = Condition()
        self._results: dict[str, Weights] = {}

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        assert x is not None
        with self._changed:
            self._tasks.append(Task(self._network.layers[index], x, delta))
            self._changed.notify()

    def close(self) -> None:
        """Say that there will be no more tasks: workers leave when nothing is left."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine until there will be no more."""
        while True:
            with self._recorder.span(engine, "wait"):
                task = self._take()
            if task is None:
                return
            with self._recorder.span(engine, "weight gradient", task.layer.name):
                gradient = self._arithmetic.weight_gradient(task.layer, task.x, task.delta)
            self._results[task.layer.name] = gradient

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return [self._results[one.name] for one in self._network.layers if one.has_weights]

    def _take(self) -> Task | None:
        with self._changed:
            while not self._tasks and self._is_open:
                self._changed.wait()
            return self._tasks.popleft() if self._tasks else None
