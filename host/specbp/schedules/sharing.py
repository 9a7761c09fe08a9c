"""Weight gradients as tasks, one for each layer, divided over the engines.

A task gives the same bits whoever does it, so nothing depends on the division.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from specbp.network import Layer, Weights
from specbp.runtime.spans import Recorder
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Pending

FreeAt = Mapping[int, float]
"""The engines that take part, by number, and when each has nothing else to do, s."""


@dataclass
class Costs:
    """What passes take alone on one engine, s, as measured before; 0 and empty if not yet.

    Attributes:
        forward: forward of the whole chain.
        deltas: input gradients of the whole chain.
        weight_gradients: weight gradient of each layer, by name.
    """

    forward: float = 0.0
    deltas: float = 0.0
    weight_gradients: dict[str, float] = field(default_factory=dict)


class Task(NamedTuple):
    """The weight gradient of one layer, and what is waited for before it.

    Attributes:
        layer: layer with weights.
        position: position among the layers with weights.
        x: input of the layer.
        delta: gradient at its output.
        ready: what an engine waits with until the delta is there.
    """

    layer: Layer
    position: int
    x: Tensor
    delta: Tensor
    ready: Pending[None]


class DividedWork:
    """Every engine has its own tasks, from measured costs: nobody can ask whether a stream is free.

    Args:
        chain: passes of the network.
        recorder: recorder of the step.
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
        self._chain = chain
        self._recorder = recorder
        self._costs = costs
        self._free_at = free_at
        self._mark = mark
        self._tasks: list[Task] = []
        self._engine_of: dict[str, int] = {}
        self._gradients: dict[int, Weights] = {}

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        assert x is not None
        layer, position = self._chain.network.layers[index], self._chain.positions[index]
        self._tasks.append(Task(layer, position, x, delta, self._mark()))

    def close(self) -> None:
        """Say that there will be no more tasks, and divide them."""
        known = self._costs.weight_gradients
        costs = {task.layer.name: known.get(task.layer.name, 0.0) for task in self._tasks}
        self._engine_of = divided(costs, self._free_at)

    def abandon(self) -> None:
        """Say instead that the tasks are not to be done."""
        self._tasks.clear()

    def work(self, engine: int) -> None:
        """Do the tasks of the caller's engine, of that number, in the order in which they came."""
        for task in self._tasks:
            if self._engine_of[task.layer.name] == engine:
                task.ready.result()
                with self._recorder.span(engine, "weight gradient", task.layer.name):
                    gradient = self._chain.weight_gradient(task.layer, task.x, task.delta)
                self._gradients[task.position] = gradient

    def finish(self) -> list[Weights]:
        """Return the gradients of each layer with weights, in forward order; all must be done."""
        return [self._gradients[position] for position in range(len(self._chain.positions))]


def divided(costs: Mapping[str, float], free_at: FreeAt) -> dict[str, int]:
    """Return for each task the engine that does it: longest first, to who is done with it first.

    Args:
        costs: cost of each task, s.
        free_at: the engines, and when each of them can begin.
    """
    loads = dict(free_at)
    engine_of: dict[str, int] = {}
    for name in sorted(costs, key=lambda name: -costs[name]):
        engine = min(loads, key=lambda engine: (loads[engine], engine))
        engine_of[name] = engine
        loads[engine] += costs[name]
    return engine_of


OpenWork = Callable[[Chain, Recorder, Costs, FreeAt], DividedWork]
"""Makes the shared work of a step."""
