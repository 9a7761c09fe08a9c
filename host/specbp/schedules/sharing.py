"""Weight gradients as tasks, one for each layer, shared by the engines.

A task gives the same bits whoever does it, so nothing depends on who was faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from torch import Tensor

from specbp.network import Layer, Weights
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Pending
from specbp.schedules.spans import Recorder

FreeAt = Mapping[int, float]
"""The engines that take part, by number, and when each has nothing else to do, s."""


@dataclass
class Costs:
    """What passes take alone on one engine, s, as measured before; 0 and empty if not yet.

    Attributes:
        forward: of the whole chain.
        deltas: likewise.
        weight_gradients: of each layer, by name.
    """

    forward: float = 0.0
    deltas: float = 0.0
    weight_gradients: dict[str, float] = field(default_factory=dict)

    def of(self, layer: Layer) -> float:
        """Return the cost of the weight gradient of `layer`."""
        return self.weight_gradients.get(layer.name, 0.0)


class SharedWork(Protocol):
    """The weight gradients of a step."""

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        ...

    def close(self) -> None:
        """Say that there will be no more tasks: workers begin, and leave when nothing is left."""
        ...

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine, of that number, until there are none left for it."""
        ...

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        ...


@dataclass(frozen=True)
class Task:
    """The weight gradient of one layer."""

    layer: Layer
    x: Tensor
    delta: Tensor


class Tasks:
    """Makes and does the tasks of a step, and keeps what they give.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
    """

    def __init__(self, chain: Chain, recorder: Recorder) -> None:
        self._network = chain.network
        self._arithmetic = chain.arithmetic
        self._recorder = recorder
        self._results: dict[str, Weights] = {}

    def of(self, index: int, x: Tensor | None, delta: Tensor) -> Task:
        """Return the task of the layer at `index` of the network."""
        assert x is not None
        return Task(self._network.layers[index], x, delta)

    def do(self, task: Task, engine: int) -> None:
        """Do a task on the caller's engine, of that number."""
        with self._recorder.span(engine, "weight gradient", task.layer.name):
            gradient = self._arithmetic.weight_gradient(task.layer, task.x, task.delta)
        self._results[task.layer.name] = gradient

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return [self._results[one.name] for one in self._network.layers if one.has_weights]


class TakenWork:
    """Whoever is free takes the next task, the costly ones first, which balances best.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        costs: kept up to date.
        free_at: who takes part.
    """

    def __init__(self, chain: Chain, recorder: Recorder, costs: Costs, free_at: FreeAt) -> None:
        self._tasks = Tasks(chain, recorder)
        self._recorder = recorder
        self._costs = costs
        self._takes_part = free_at
        self._left: list[Task] = []
        self._is_complete = Event()

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        self._left.append(self._tasks.of(index, x, delta))

    def close(self) -> None:
        """Say that there will be no more tasks: workers begin, and leave when nothing is left."""
        self._left.sort(key=lambda task: self._costs.of(task.layer))
        self._is_complete.set()

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine until there are no more."""
        if engine not in self._takes_part:
            return
        if not self._is_complete.is_set():
            with self._recorder.span(engine, "wait"):
                self._is_complete.wait()
        while True:
            try:
                task = self._left.pop()  # the costliest of those left
            except IndexError:
                return
            started = time.perf_counter()
            self._tasks.do(task, engine)
            self._costs.weight_gradients[task.layer.name] = time.perf_counter() - started

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return self._tasks.results()


class DividedWork:
    """Every engine has its own tasks, from measured costs: nobody can ask whether a stream is free.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        costs: what the division goes by.
        free_at: who takes part, and when each of them can begin.
        mark: gives what another engine waits with until a delta is there.
    """

    def __init__(
        self,
        chain: Chain,
        recorder: Recorder,
        costs: Costs,
        free_at: FreeAt,
        mark: Callable[[], Pending[None]],
    ) -> None:
        self._tasks = Tasks(chain, recorder)
        self._costs = costs
        self._free_at = free_at
        self._mark = mark
        self._put: list[tuple[Task, Pending[None]]] = []
        self._engine_of: dict[str, int] = {}

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        self._put.append((self._tasks.of(index, x, delta), self._mark()))

    def close(self) -> None:
        """Divide the tasks."""
        costs = {task.layer.name: self._costs.of(task.layer) for task, _ in self._put}
        self._engine_of = divided(costs, self._free_at)

    def work(self, engine: int) -> None:
        """Do the tasks of the caller's engine, in the order in which they were put."""
        for task, ready in self._put:
            if self._engine_of[task.layer.name] == engine:
                ready.result()
                self._tasks.do(task, engine)

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return self._tasks.results()


def divided(costs: Mapping[str, float], free_at: FreeAt) -> dict[str, int]:
    """Return for each task the engine that does it: longest first, to who is done with it first.

    Args:
        costs: of each task, s.
        free_at: see `FreeAt`.
    """
    loads = dict(free_at)
    engine_of: dict[str, int] = {}
    for name in sorted(costs, key=lambda name: -costs[name]):
        engine = min(loads, key=lambda engine: (loads[engine], engine))
        engine_of[name] = engine
        loads[engine] += costs[name]
    return engine_of


OpenWork = Callable[[Chain, Recorder, Costs, FreeAt], SharedWork]
"""Makes the shared work of a step."""
