"""The best time that a plan allows, from the costs of its tasks: the one bound, for every engine.

Nothing but the tasks is taken to cost time. No execution on that many engines is faster: a task
ends no sooner than the longest chain before it and no sooner than the engines can do all the work
before it, and the same holds for what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from specbp.plan.outline import Outline
from specbp.plan.tasks import Kind, Plan, StepPlans, Task

_COSTED_AS: dict[Kind, Kind] = {"refresh": "forward", "redo": "input_grad", "commit": "lookup"}


@dataclass(frozen=True)
class Costs:
    """Times of the tasks of a whole batch, each alone on one engine, all in the same unit.

    Attributes:
        by_task: cost of a kind of task for a node; of an update, for its part. What is not in it
            costs nothing. `refresh` costs what `forward` does, `redo` what `input_grad` does,
            `commit` what `lookup` does.
    """

    by_task: Mapping[tuple[Kind, int], float] = field(default_factory=dict)

    def of(self, task: Task, accept_rate: float = 1.0, hit: bool = True) -> float:
        """Return the cost of `task` where that share of the samples is accepted.

        Args:
            task: what is done.
            accept_rate: share of the samples whose speculated gradient is kept.
            hit: whether the cache holds a sample for any key of the batch.
        """
        if task.when == "hit" and not hit:
            return 0.0
        cost = self.by_task.get((_COSTED_AS.get(task.kind, task.kind), task.node), 0.0)
        rejected = 1 - accept_rate
        match task.rows:
            case "half 0" | "half 1":
                return cost / 2
            case "rejected" | "deferred":
                return cost * rejected
            case "rejected 0" | "rejected 1":
                return cost * rejected / 2
            case "kept":
                return cost * accept_rate
            case _:
                return cost


@dataclass(frozen=True)
class Passes:
    """Times of the passes of a sequential step, each alone on one engine, all in the same unit.

    Attributes:
        forward: F, of all nodes.
        input_grad: I, of the nodes above the first one with weights.
        weight_grad: W, of all nodes with weights.
        update: U, of all weights.
    """

    forward: float
    input_grad: float
    weight_grad: float
    update: float

    @property
    def sequential(self) -> float:
        """F + I + W + U, the whole step."""
        return self.forward + self.input_grad + self.weight_grad + self.update


def costs_of_passes(outline: Outline, passes: Passes) -> Costs:
    """Return costs from the times of whole passes, split over the nodes by their work."""
    nodes = range(len(outline.nodes))
    trained = outline.trained
    below = [node for node in nodes if node > outline.first_trained]
    by_task: dict[tuple[Kind, int], float] = {}
    split: list[tuple[Kind, float, Sequence[int]]] = [
        ("forward", passes.forward, nodes),
        ("input_grad", passes.input_grad, below),
        ("weight_grad", passes.weight_grad, trained),
    ]
    for kind, time, over in split:
        total = sum(outline.nodes[node].work for node in over)
        by_task |= {(kind, node): time * outline.nodes[node].work / total for node in over}
    parts = len(outline.updates)
    by_task |= {("update", part): passes.update / parts for part in range(parts)}
    return Costs(by_task)


def bound(plan: Plan, costs: Costs, accept_rate: float = 1.0, hit: bool = True) -> float:
    """Return the least time of a step, in the unit of the costs.

    Args:
        plan: plan of the step.
        costs: times of the tasks.
        accept_rate: share of the samples whose speculated gradient is kept; of `selective`, share
            of the samples that are not skipped.
        hit: whether the cache holds a sample for any key of the batch.
    """
    times = [costs.of(task, accept_rate, hit) for task in plan.tasks]
    before = _reached(plan, [task.needs for task in plan.tasks])
    after = _reached(plan, _followers(plan), backwards=True)
    starts = _least(plan, times, before, [task.needs for task in plan.tasks], range(len(times)))
    tails = _least(plan, times, after, _followers(plan), reversed(range(len(times))))
    everything = _work(plan, times, set(range(len(times))))
    through = (start + time + tail for start, time, tail in zip(starts, times, tails, strict=True))
    return max(everything, max(through, default=0.0))


def mean_bound(plans: StepPlans, costs: Costs, accept_rate: float) -> float:
    """Return the least mean time of the steps of a training, in the unit of the costs.

    Args:
        plans: plans of the steps.
        costs: times of the tasks.
        accept_rate: share of all samples trained on whose speculated gradient was kept. Without a
            gate, the others are those of whole batches for which the cache held nothing yet.
    """
    return sum(
        share * bound(plan, costs, accepted, hit)
        for plan, share, accepted, hit in kinds_of_steps(plans, accept_rate)
    )


def kinds_of_steps(plans: StepPlans, accept_rate: float) -> list[tuple[Plan, float, float, bool]]:
    """Return plan, share, accept rate and whether the cache was hit, for each kind of step."""
    if not plans.hit.of_kind("lookup") or plans.hit.of_kind("gate"):
        return [(plans.hit, 1.0, accept_rate, True)]
    return [(plans.hit, accept_rate, 1.0, True), (plans.missed, 1 - accept_rate, 0.0, False)]


def tails(plan: Plan, costs: Costs) -> list[float]:
    """Return for each task the longest time from its beginning to the end of the step.

    Executing ready tasks with long tails first keeps engines from waiting at the end.
    """
    followers = _followers(plan)
    found = [0.0] * len(plan.tasks)
    for index in reversed(range(len(plan.tasks))):
        after = max((found[one] for one in followers[index]), default=0.0)
        found[index] = costs.of(plan.tasks[index]) + after
    return found


def sequential_time(plan: Plan, costs: Costs) -> float:
    """Return the time of all tasks of a sequential plan, one after the other."""
    return sum(costs.of(task) for task in plan.tasks)


def _least(
    plan: Plan,
    times: Sequence[float],
    reached: Sequence[set[int]],
    neighbours: Sequence[Sequence[int]],
    order: Iterable[int],
) -> list[float]:
    """Return for each task the least time that all it reaches take, before it or after it."""
    least = [0.0] * len(times)
    for index in order:
        chain = max((least[one] + times[one] for one in neighbours[index]), default=0.0)
        least[index] = max(chain, _work(plan, times, reached[index]))
    return least


def _work(plan: Plan, times: Sequence[float], tasks: set[int]) -> float:
    """Return the least time in which the engines do these tasks, in whatever order."""
    pinned = [0.0] * plan.engines
    for index in tasks:
        engine = plan.tasks[index].engine
        if engine is not None:
            pinned[engine] += times[index]
    return max(sum(times[index] for index in tasks) / plan.engines, *pinned)


def _reached(
    plan: Plan, neighbours: Sequence[Sequence[int]], backwards: bool = False
) -> list[set[int]]:
    reached: list[set[int]] = [set() for _ in plan.tasks]
    indices = range(len(plan.tasks))
    for index in reversed(indices) if backwards else indices:
        for one in neighbours[index]:
            reached[index] |= {one, *reached[one]}
    return reached


def _followers(plan: Plan) -> list[list[int]]:
    followers: list[list[int]] = [[] for _ in plan.tasks]
    for index, task in enumerate(plan.tasks):
        for need in task.needs:
            followers[need].append(index)
    return followers
