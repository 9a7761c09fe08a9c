"""Costs of tasks as they were measured."""

from __future__ import annotations

import numpy as np

from specbp.plan.bound import Costs
from specbp.plan.tasks import KINDS, Kind
from specbp.runtime.step import ENDED, KIND, NODE, STARTED, WAIT, StepResults


def measured_costs(results: StepResults) -> Costs:
    """Return the median time of each kind of task for each node, in s, over some steps."""
    spans = results.spans[results.spans[:, KIND] != WAIT]
    durations = spans[:, ENDED] - spans[:, STARTED]
    by_task: dict[tuple[Kind, int], float] = {}
    for kind, node in np.unique(spans[:, [KIND, NODE]], axis=0).astype(int):
        chosen = (spans[:, KIND] == kind) & (spans[:, NODE] == node)
        by_task[KINDS[kind], int(node)] = float(np.median(durations[chosen]))
    return Costs(by_task)
