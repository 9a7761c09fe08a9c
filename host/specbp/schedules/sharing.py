"""Weight gradients as tasks, one for each layer, and the update after them, shared by the engines.

A task gives the same bits whoever does it, so nothing depends on who was faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from typing import NamedTuple, Protocol

from torch import Tensor

from specbp.arithmetic import UpdatePart
from specbp.network import Layer, Weights
from specbp.schedules.chain import Chain
from specbp.schedules.engines import Pending
from specbp.schedules.spans import Recorder
from specbp.schedules.updating import Update, own_update

FreeAt = Mapping[int, float]
"""The engines that take part, by number, and when each has nothing else to do, s."""


@dataclass
class Costs:
    """What passes take alone on one engine, s, as measured before; 0 and empty if not yet.

    Attributes:
        forward: of the whole chain.
        deltas: likewise.
        weight_gradients: of each layer, by name.
        updates: likewise, of layers that are updated on their own.
    """

    forward: float = 0.0
    deltas: float = 0.0
    weight_gradients: dict[str, float] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)

    def of(self, layer: Layer) -> float:
        """Return the cost of weight gradient and update of `layer`."""
        return self.weight_gradients.get(layer.name, 0.0) + self.updates.get(layer.name, 0.0)


class SharedWork(Protocol):
    """The weight gradients of a step, and the update with them."""

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        ...

    def close(self) -> None:
        """Say that there will be no more tasks: workers begin, and leave when nothing is left."""
        ...

    def abandon(self) -> None:
        """Say instead that the tasks are not to be done: nobody is to wait for them."""
        ...

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine, of that number, until there are none left for it.

        Engine 0 comes when forward has ended, which reads the weights.
        """
        ...

    def finish(self) -> list[Weights]:
        """Do on engine 0 what is left when both have worked.

        Returns:
            The gradients of each layer with weights, in forward order.
        """
        ...


class Task(NamedTuple):
    """The weight gradient of one layer; a tuple, since they are made while an engine waits."""

    layer: Layer
    position: int
    x: Tensor
    delta: Tensor


class UpdateTask(NamedTuple):
    """A part of the update: one of so many of a layer, or all there is of several layers."""

    layer: str
    part: UpdatePart
    parts: int


class WeightGradients:
    """Makes and does the tasks of a step, and keeps what they give.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
    """

    def __init__(self, chain: Chain, recorder: Recorder) -> None:
        self._chain = chain
        self._recorder = recorder
        self._results: dict[int, Weights] = {}

    def of(self, index: int, x: Tensor | None, delta: Tensor) -> Task:
        """Return the task of the layer at `index` of the network."""
        assert x is not None
        return Task(self._chain.network.layers[index], self._chain.positions[index], x, delta)

    def do(self, task: Task, engine: int) -> None:
        """Do a task on the caller's engine, of that number, and keep what it gives."""
        with self._recorder.span(engine, "weight gradient", task.layer.name):
            gradient = self._chain.weight_gradient(task.layer, task.x, task.delta)
        self._results[task.position] = gradient

    def are_done(self, positions: Sequence[int]) -> bool:
        """Return whether the tasks of these layers are, given by their positions among all."""
        return all(position in self._results for position in positions)

    def at(self, positions: Iterable[int]) -> list[Weights]:
        """Return the gradients of these layers, whose tasks must be done."""
        return [self._results[position] for position in positions]

    def results(self) -> list[Weights]:
        """Return the gradients of each layer with weights in forward order; all must be done."""
        return self.at(range(len(self._chain.positions)))


class TakenWork:
    """Whoever is free takes the next task: weight gradients, then the parts of the update.

    Layers that cost most go first, which balances best. A part is done as soon as its gradients
    are there and forward has ended, beside the weight gradients of others if an engine does none
    of those.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        costs: kept up to date.
        free_at: who does weight gradients.
        update: of the weights, if any.
    """

    def __init__(
        self,
        chain: Chain,
        recorder: Recorder,
        costs: Costs,
        free_at: FreeAt,
        update: Update | None,
    ) -> None:
        self._gradients = WeightGradients(chain, recorder)
        self._recorder = recorder
        self._costs = costs
        self._free_at = free_at
        self._update = update
        self._left: list[Task] = []
        self._incomplete = Lock()
        self._incomplete.acquire()
        self._forward_has_ended = False
        self._tasks = 0
        self._finished: list[Layer] = []
        self._claims: dict[tuple[int, ...], int] = {}
        self._updates: SimpleQueue[UpdateTask | None] = SimpleQueue()
        """None, at least once for each engine, comes after the last one."""

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        self._left.append(self._gradients.of(index, x, delta))

    def close(self) -> None:
        """Say that there will be no more tasks: workers begin, and leave when nothing is left."""
        self._tasks = len(self._left)
        self._left.sort(key=lambda task: self._costs.of(task.layer))
        if not self._left:
            self._end()
        self._incomplete.release()

    def abandon(self) -> None:
        """Say instead that the tasks are not to be done: nobody is to wait for them."""
        self._left.clear()
        self.close()

    def work(self, engine: int) -> None:
        """Do tasks on the caller's engine until there are no more.

        Engine 1 does not stay for the update when forward has not ended by then: it may be the
        caller's own engine, which has yet to come to the forward.
        """
        if engine == 0:
            self._forward_has_ended = True
        try:
            if engine in self._free_at:
                self._do_weight_gradients(engine)
            if self._forward_has_ended:
                self._do_updates(engine)
        except BaseException:
            self._end()  # the other engine waits for what will not come
            raise

    def finish(self) -> list[Weights]:
        """Return the gradients of each layer with weights, in forward order: nothing is left."""
        return self._gradients.results()

    def _do_weight_gradients(self, engine: int) -> None:
        if self._incomplete.locked():
            with self._recorder.span(engine, "wait"), self._incomplete:
                pass
        while True:
            try:
                task = self._left.pop()  # the costliest of those left
            except IndexError:
                return
            layer = task.layer
            started = time.perf_counter()
            self._gradients.do(task, engine)
            self._costs.weight_gradients[layer.name] = time.perf_counter() - started
            if self._update is not None:
                self._put_updates(task, self._update)
            # Both engines may see that this was the last one: more ends than needed do no harm.
            self._finished.append(layer)
            if len(self._finished) == self._tasks:
                self._end()

    def _put_updates(self, task: Task, update: Update) -> None:
        """Add the parts of the update that waited for `task` alone, or as the last one."""
        position = task.position
        own = [part for part in update.parts if part.layers == (position,)]
        for part in own:
            self._updates.put(UpdateTask(task.layer.name, part, len(own)))
        for part in update.parts:
            if (
                len(part.layers) > 1
                and position in part.layers
                and self._gradients.are_done(part.layers)
                and self._claims.setdefault(part.layers, position) == position
            ):
                self._updates.put(UpdateTask("", part, 1))

    def _do_updates(self, engine: int) -> None:
        while (task := self._next_update(engine)) is not None:
            assert self._update is not None
            started = time.perf_counter()
            with self._recorder.span(engine, "update", task.layer):
                task.part.do(self._gradients.at(task.part.layers), self._update.numbers)
            self._costs.updates[task.layer] = task.parts * (time.perf_counter() - started)

    def _next_update(self, engine: int) -> UpdateTask | None:
        """Return the next task, and wait for it if need be; None when there will be no more."""
        try:
            return self._updates.get_nowait()
        except Empty:
            with self._recorder.span(engine, "wait"):
                return self._updates.get()

    def _end(self) -> None:
        for _ in range(2):
            self._updates.put(None)


class DividedWork:
    """Every engine has its own tasks, from measured costs: nobody can ask whether a stream is free.

    Args:
        chain: whose layers they are of.
        recorder: of the step.
        costs: what the division goes by.
        free_at: who takes part, and when each of them can begin.
        update: of the weights, if any.
        mark: gives what another engine waits with until a delta is there.
    """

    def __init__(
        self,
        chain: Chain,
        recorder: Recorder,
        costs: Costs,
        free_at: FreeAt,
        update: Update | None,
        mark: Callable[[], Pending[None]],
    ) -> None:
        self._gradients = WeightGradients(chain, recorder)
        self._recorder = recorder
        self._costs = costs
        self._free_at = free_at
        self._update = update
        self._mark = mark
        self._put: list[tuple[Task, Pending[None]]] = []
        self._engine_of: dict[str, int] = {}

    def put(self, index: int, x: Tensor | None, delta: Tensor) -> None:
        """Add the task of the layer at `index` of the network."""
        self._put.append((self._gradients.of(index, x, delta), self._mark()))

    def close(self) -> None:
        """Divide the tasks."""
        costs = {task.layer.name: self._costs.of(task.layer) for task, _ in self._put}
        self._engine_of = divided(costs, self._free_at)

    def abandon(self) -> None:
        """Say instead that the tasks are not to be done."""
        self._put.clear()

    def work(self, engine: int) -> None:
        """Do the tasks of the caller's engine, in the order in which they were put."""
        for task, ready in self._put:
            if self._engine_of[task.layer.name] == engine:
                ready.result()
                self._gradients.do(task, engine)

    def finish(self) -> list[Weights]:
        """Update the weights on engine 0; return the gradients of each layer in forward order."""
        gradients = self._gradients.results()
        own_update(self._update, gradients, self._recorder)
        return gradients


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


OpenWork = Callable[[Chain, Recorder, Costs, FreeAt, Update | None], SharedWork]
"""Makes the shared work of a step."""
