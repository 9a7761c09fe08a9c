"""When each task of a plan runs, if nothing but the tasks takes time: a step as it could go.

A task goes to the engine that the plan names, or to whichever is free first; of those that may
begin, the most urgent one goes first. The native runtime chooses in the same manner.
"""

from __future__ import annotations

from dataclasses import dataclass

from specbp.plan.bound import Costs, tails
from specbp.plan.tasks import Plan


@dataclass(frozen=True)
class Entry:
    """One task in a timetable.

    Attributes:
        task: index of the task in the plan.
        engine: number of the engine that executes it.
        started: when, from the beginning of the step, in the unit of the costs.
        ended: when it ended, in the unit of the costs.
    """

    task: int
    engine: int
    started: float
    ended: float


def urgency(plan: Plan, costs: Costs) -> list[float]:
    """Return how urgent each task is: of those that an engine may begin, the largest goes first.

    A task with the longest time after it goes first, so that no engine waits at the end; but
    before all others go those that only this engine can do, since others wait for these, and the
    rest can be shared.
    """
    whole = sum(costs.of(task) for task in plan.tasks)
    after = tails(plan, costs)
    return [
        tail + (0.0 if task.engine is None else whole)
        for task, tail in zip(plan.tasks, after, strict=True)
    ]


def timetable(plan: Plan, costs: Costs, accept_rate: float = 1.0) -> list[Entry]:
    """Return the tasks of a step in the order in which they begin.

    Args:
        plan: plan of the step.
        costs: times of the tasks.
        accept_rate: share of the samples whose speculated gradient is kept.
    """
    urgent = urgency(plan, costs)
    free = [0.0] * plan.engines
    ended: dict[int, float] = {}
    entries: list[Entry] = []
    left = set(range(len(plan.tasks)))
    while left:
        ready = [one for one in left if all(need in ended for need in plan.tasks[one].needs)]
        begins = []
        for one in ready:
            task = plan.tasks[one]
            engine = task.engine
            if engine is None:
                engine = min(range(plan.engines), key=lambda number: free[number])
            needed = max((ended[need] for need in task.needs), default=0.0)
            begins.append((max(free[engine], needed), -urgent[one], one, engine))
        started, _, chosen, engine = min(begins)
        ends = started + costs.of(plan.tasks[chosen], accept_rate)
        free[engine] = ended[chosen] = ends
        entries.append(Entry(chosen, engine, started, ends))
        left.remove(chosen)
    return entries


def length(entries: list[Entry]) -> float:
    """Return when the last task ends."""
    return max((entry.ended for entry in entries), default=0.0)
