"""A training step as data: tasks, what each of them needs, and on which engine it runs.

The words are those of `torch.distributed.pipelining.schedules`: forward (F), input gradient (I) and
weight gradient (W) are tasks of their own. Dependences are explicit, as VTA's tokens are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from specbp.plan.outline import Outline

Kind = Literal[
    "load", "forward", "lookup", "refresh", "gate", "input_grad", "redo", "weight_grad",
    "reduce_grad", "update", "commit",
]  # fmt: skip
"""What a task does.

load: images of the batch, as the first layer takes them. forward: output and mask of a node.
lookup: what the cache holds for the node. refresh: forward of the cached samples. gate: which
samples are accepted. input_grad: gradient at the inputs of a node,
added to what other readers of them have made. redo: the same of rejected
samples. weight_grad: gradient of the node's weights. reduce_grad: the sum of the weight gradients
of several sets of samples. update: a part of the weight update. commit: what the forward saved for
the node, to the cache.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)

Rows = Literal[
    "batch", "half 0", "half 1", "cached", "merged", "accepted", "rejected", "rejected 0",
    "rejected 1", "kept", "deferred",
]  # fmt: skip
"""Which samples a task works on.

batch: those of the step; half 0 and half 1: its first and second half. cached: the samples that
the cache holds for the keys of the batch, in the order of the batch. merged: the cached ones where
they were accepted, the redone ones elsewhere. accepted: the cached ones where they were accepted,
nothing elsewhere. rejected: samples of the batch that the gate did not accept; rejected 0 and
rejected 1: the first and second half of these. kept: samples whose loss is large enough for a
backward. deferred: samples that the step before rejected.
"""
ROWS: tuple[Rows, ...] = get_args(Rows)

OVERWRITING: tuple[Rows, ...] = ("merged", "accepted")
"""Rows of a weight gradient that overwrites what was speculated for rejected samples."""

When = Literal["always", "hit", "rejected", "deferred"]
"""In which steps a task runs; otherwise it is passed over, and counts as done.

hit: the cache held a sample for at least one key. rejected: the gate did not accept all samples.
deferred: the step before left rejected samples behind.
"""
WHENS: tuple[When, ...] = get_args(When)


@dataclass(frozen=True)
class Task:
    """One thing that an engine does.

    Attributes:
        kind: what it does.
        node: index of the node in the outline; for an update the index of its part; else -1.
        engine: number of the engine, None for whichever is free.
        needs: indices of the tasks that end before this one begins.
        rows: samples that it works on.
        inputs: samples whose layer inputs meet the gradient, of a weight gradient; of an input
            gradient of the loss, the samples whose labels are the targets.
        when: the steps in which it runs.
    """

    kind: Kind
    node: int
    engine: int | None
    needs: tuple[int, ...]
    rows: Rows = "batch"
    inputs: Rows = "batch"
    when: When = "always"


@dataclass(frozen=True)
class Plan:
    """A schedule for one network.

    Attributes:
        name: name of the schedule.
        outline: the network.
        engines: number of engines that work at the same time.
        tasks: tasks in an order in which one engine alone could do them all.
    """

    name: str
    outline: Outline
    engines: int
    tasks: tuple[Task, ...]

    def of_kind(self, *kinds: Kind) -> list[int]:
        """Return the indices of the tasks of these kinds."""
        return [index for index, task in enumerate(self.tasks) if task.kind in kinds]


@dataclass(frozen=True)
class StepPlans:
    """The plans of the steps of one training.

    Attributes:
        hit: plan of a step for which the cache holds a sample for each key of the batch.
        missed: plan of every other step.
        warmup: plan of a step in a warm-up epoch.
    """

    hit: Plan
    missed: Plan
    warmup: Plan


class PlanBuilder:
    """Collects the tasks of a plan, pass by pass.

    Args:
        name: name of the schedule.
        outline: the network.
        engines: number of engines.
    """

    def __init__(self, name: str, outline: Outline, engines: int) -> None:
        self._name = name
        self._outline = outline
        self._engines = engines
        self._tasks: list[Task] = []

    def build(self) -> Plan:
        """Return the plan."""
        return Plan(self._name, self._outline, self._engines, tuple(self._tasks))

    def load(self, engine: int = 0) -> int:
        """Add the load of the batch and return the index of the task."""
        return self._add("load", -1, engine, [])

    def forward(
        self, images: int, engine: int | None, rows: Rows = "batch", start: int = 0
    ) -> dict[int, int]:
        """Add the forward of all nodes.

        Args:
            images: task that the first node needs.
            engine: number of the engine.
            rows: which samples.
            start: first node.

        Returns:
            The task of each node.
        """
        return self._forward("forward", images, engine, rows, start, "always")

    def lookup(
        self, engine: int | None, nodes: Sequence[int], spare: int | None = None
    ) -> dict[int, int]:
        """Add lookups of what the cache holds, the last node first, as a backward needs it.

        Args:
            engine: number of the engine for what the input gradients need.
            nodes: nodes whose saved tensors are looked up.
            spare: number of the engine for what only weight gradients need.

        Returns:
            The task of each node.
        """
        masks = masks_of(self._outline)
        return {
            node: self._add(
                "lookup", node, engine if node in masks else spare, [], "cached", when="hit"
            )
            for node in sorted(nodes, key=lambda node: (node not in masks, -node))
        }

    def refresh(self, cached: dict[int, int], layers: int, engine: int | None) -> dict[int, int]:
        """Add a forward of the cached samples through the last `layers` nodes with weights.

        Args:
            cached: lookup of each node.
            layers: number of trailing nodes with weights; 0 for no refresh.
            engine: number of the engine.

        Returns:
            The task after which what is cached for a node is as it will be used.
        """
        if not layers:
            return cached
        start, value = self._outline.refresh_start(layers)
        again = self._forward("refresh", cached[value], engine, "cached", start, "hit")
        return {**cached, **again}

    def gate(self, needs: Sequence[int]) -> int:
        """Add the gate, on engine 0, and return the index of the task."""
        return self._add("gate", -1, 0, needs)

    def input_grad(
        self,
        saved: dict[int, int],
        engine: int | None,
        rows: Rows = "batch",
        labels: Rows = "batch",
        after: Sequence[int] = (),
    ) -> dict[int, int]:
        """Add the input gradients from the loss down to the first node with weights.

        Args:
            saved: task of each node that makes what its input gradient needs.
            engine: number of the engine.
            rows: which samples.
            labels: samples whose labels are the targets.
            after: tasks that end before the first one begins.

        Returns:
            For each node the task that makes the gradient at its output.
        """
        when: When = {"cached": "hit", "deferred": "deferred"}.get(rows, "always")  # type: ignore[assignment]
        return self._backward("input_grad", saved, engine, rows, labels, after, when)

    def redo(
        self, saved: dict[int, int], engine: int | None, rows: Rows, after: Sequence[int]
    ) -> dict[int, int]:
        """Add the input gradients of rejected samples; see `input_grad`."""
        return self._backward("redo", saved, engine, rows, "batch", after, "rejected")

    def weight_grad(
        self,
        grads: Sequence[dict[int, int]],
        inputs_ready: dict[int, int],
        engine: int | None,
        rows: Rows = "batch",
        inputs: Rows = "batch",
    ) -> dict[int, int]:
        """Add the weight gradient of each node with weights, the last first.

        Args:
            grads: tasks that make the gradient at the output of each node.
            inputs_ready: task of each node that makes its input.
            engine: number of the engine.
            rows: samples whose gradient is used. For merged and accepted ones, rows of what was
                speculated are overwritten, which other input gradients read before.
            inputs: samples whose layer inputs are used.

        Returns:
            The task of each node.
        """
        when: When = "deferred" if rows == "deferred" else "always"
        tasks: dict[int, int] = {}
        for node in reversed(self._outline.trained):
            needs = [
                *(grad[node] for grad in grads),
                *self._ready(inputs_ready, self._outline.inputs[node][0]),
                *(self._speculated_readers(node) if rows in OVERWRITING else []),
                *(self._by_product(node, rows) if rows == inputs else []),
            ]
            tasks[node] = self._add("weight_grad", node, engine, needs, rows, inputs, when)
        return tasks

    def update(self, gradients: Sequence[dict[int, int]], engine: int | None) -> None:
        """Add the update: each part when its gradients are there and its weights are read.

        Args:
            gradients: weight gradients of each node, of one or several sets of samples.
            engine: number of the engine.
        """
        ready = gradients[0]
        if len(gradients) > 1:
            ready = {
                node: self._add("reduce_grad", node, engine, [each[node] for each in gradients])
                for node in gradients[0]
            }
        for part, nodes in enumerate(self._outline.updates):
            made = [ready[node] for node in nodes]
            readers = [
                index
                for index, task in enumerate(self._tasks)
                if task.kind in ("forward", "refresh", "input_grad", "redo") and task.node in nodes
            ]
            self._add("update", part, engine, [*made, *readers])

    def commit(
        self,
        nodes: Sequence[int],
        saved: dict[int, int],
        cached: dict[int, int],
        engine: int | None,
    ) -> None:
        """Add the copies of what the forward saved into the cache.

        Args:
            nodes: nodes whose saved tensors are kept.
            saved: forward of each node.
            cached: lookup of each node, which reads what is overwritten.
            engine: number of the engine.
        """
        for node in nodes:
            made = [saved[max(node - 1, 0)]] if node in self._outline.kept else []
            made += [saved[node]] if self._outline.nodes[node].mask == node else []
            self._add("commit", node, engine, [*made, *_present([cached.get(node)])])

    def _speculated_readers(self, node: int) -> list[int]:
        """Return the tasks that read the cached input of `node`, or the gradient at its output.

        These are input gradients, and weight gradients of nodes with the same input.
        """
        value = self._outline.inputs[node][0]
        return [
            index
            for index, task in enumerate(self._tasks)
            if (
                (task.kind, task.rows) == ("input_grad", "cached")
                and (task.node == node or value in self._outline.needed(task.node))
            )
            or (
                task.kind == "weight_grad"
                and task.rows in OVERWRITING
                and self._outline.inputs[task.node][0] == value
            )
        ]

    def _by_product(self, node: int, rows: Rows) -> list[int]:
        """Return the input gradient that makes the weight gradient of a node too."""
        return [
            index
            for index, task in enumerate(self._tasks)
            if self._outline.nodes[node].makes_both
            and (task.kind, task.node, task.rows) == ("input_grad", node, rows)
        ]

    def _ready(self, tasks: dict[int, int], place: int) -> list[int]:
        """Return the tasks after which what is saved at a place is there: a value and a mask.

        Args:
            tasks: task of each node, a forward or a lookup.
            place: place in a saved forward.
        """
        # A node that reads the value at its own place comes after whatever makes that.
        both = [place] if place in self._outline.inputs[place] else [place, place - 1]
        return _present([tasks.get(one) for one in both])

    def _forward(
        self, kind: Kind, first: int, engine: int | None, rows: Rows, start: int, when: When
    ) -> dict[int, int]:
        tasks: dict[int, int] = {}
        for node in range(start, len(self._outline.nodes)):
            needs = [tasks.get(value - 1, first) for value in self._outline.inputs[node]]
            tasks[node] = self._add(kind, node, engine, needs, rows, when=when)
        return tasks

    def _backward(
        self,
        kind: Kind,
        saved: dict[int, int],
        engine: int | None,
        rows: Rows,
        labels: Rows,
        after: Sequence[int],
        when: When,
    ) -> dict[int, int]:
        made: dict[int, int] = {}
        for node in range(self._outline.loss, -1, -1):
            values = self._outline.passes[node]
            if not values:
                continue
            # The gradient of a value with several readers is summed, that of the last one first.
            needs = [made[node]] if node in made else list(after)
            needs += _present([made.get(value - 1) for value in values])
            for place in self._outline.needed(node):
                needs += self._ready(saved, place)
            task = self._add(kind, node, engine, needs, rows, labels, when)
            made |= {value - 1: task for value in values}
        return made

    def _add(
        self,
        kind: Kind,
        node: int,
        engine: int | None,
        needs: Sequence[int],
        rows: Rows = "batch",
        inputs: Rows = "batch",
        when: When = "always",
    ) -> int:
        place = 0 if self._engines == 1 else engine
        self._tasks.append(Task(kind, node, place, tuple(sorted(set(needs))), rows, inputs, when))
        return len(self._tasks) - 1


def masks_of(outline: Outline) -> set[int]:
    """Return the places of what input gradients read in a saved forward."""
    return {place for node in range(len(outline.nodes)) for place in outline.needed(node)}


def _present(tasks: Sequence[int | None]) -> list[int]:
    return [task for task in tasks if task is not None]
