"""Where the wall time of steps went, from what the engines executed.

Every moment of a step is put on one or two accounts. A moment in which both engines work belongs
half to what each of them does. A moment in which one engine idles is lost to the reason: beside a
pass it is imbalance; beside anything else it is what that other thing costs; beside nothing it is
synchronisation. So the accounts of a step add up to its wall time, and what runs beside useful work
costs half of what the same costs alone.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from specbp.plan.bound import Costs, kinds_of_steps, mean_bound
from specbp.plan.tasks import KINDS, Kind, StepPlans
from specbp.runtime.step import ENDED, ENGINE, KIND, STARTED, STEP, WAIT, StepResults

Account = Literal["passes", "imbalance", "gate", "redo", "cache", "synchronisation", "update"]
ACCOUNTS: tuple[Account, ...] = get_args(Account)

Column = NDArray[np.float64]

_ACCOUNT_OF: dict[Kind, Account] = {
    "load": "update",
    "forward": "passes",
    "lookup": "cache",
    "refresh": "cache",
    "gate": "gate",
    "input_grad": "passes",
    "redo": "redo",
    "weight_grad": "passes",
    "reduce_grad": "update",
    "update": "update",
    "commit": "cache",
}
_NONE = -1
_CODES = np.array([*(ACCOUNTS.index(_ACCOUNT_OF[kind]) for kind in KINDS), _NONE])
"""Account of each number of a kind, and of a wait."""
_PASSES, _IMBALANCE, _SYNCHRONISATION = map(
    ACCOUNTS.index, ("passes", "imbalance", "synchronisation")
)


def phase_times(results: StepResults) -> dict[str, Column]:
    """Return the times of the phases of each step, in ms [steps].

    The names are columns of the frame `steps`, which says what each means.
    """
    spans, steps = results.spans, len(results.times)
    step, engine, kind = (spans[:, column].astype(int) for column in (STEP, ENGINE, KIND))
    place = (step * 2 + engine) * len(_CODES) + kind
    durations = (spans[:, ENDED] - spans[:, STARTED]) * 1e3
    summed = np.bincount(place, durations, minlength=steps * 2 * len(_CODES))
    by_kind = summed.reshape(steps, 2, len(_CODES))

    def total(*kinds: Kind | Literal["wait"], engine: int | None = None) -> Column:
        numbers = [WAIT if kind == "wait" else KINDS.index(kind) for kind in kinds]
        engines = [0, 1] if engine is None else [engine]
        found: Column = by_kind[:, engines][:, :, numbers].sum((1, 2))
        return found

    weight_grad = total("weight_grad")
    return {
        "step_ms": (results.times[:, 1] - results.times[:, 0]) * 1e3,
        "load_ms": total("load"),
        "forward_ms": total("forward"),
        "backward_ms": total("input_grad") + weight_grad,
        "weight_gradient_ms": weight_grad,
        "gate_ms": total("gate"),
        "redo_ms": total("redo"),
        "recall_ms": total("lookup", "refresh"),
        "store_ms": total("commit"),
        "update_ms": total("update", "reduce_grad"),
        "wait_ms": total("wait", engine=0),
        "engine_1_forward_ms": total("forward", engine=1),
        "engine_1_input_gradient_ms": total("input_grad", engine=1),
        "engine_1_weight_gradient_ms": total("weight_grad", engine=1),
    }


def time_shares(results: StepResults, engines: int) -> dict[str, Column]:
    """Split the wall time of each step over the accounts, in ms [steps].

    On engine 0, which is the caller's, time between spans is synchronisation: handing work over
    and keeping books. On engine 1 it is idle time, as waiting is on both.

    Args:
        results: results of the steps.
        engines: how many work at the same time; spans of one engine may carry either number.
    """
    steps = len(results.times)
    moments, step_of, on, states = _changes(results, engines)
    order = np.lexsort((step_of < 0, moments))
    moments, step_of, on, states = (one[order] for one in (moments, step_of, on, states))
    zero, one = (_current(states, on == engine) for engine in (0, 1))
    owner = step_of[_last_where(on >= 0)]
    durations = np.diff(moments, append=moments[-1:]) * 500  # ms, and half of it
    totals = np.zeros(steps * len(ACCOUNTS))
    for half in _halves(zero, one, engines):
        inside = owner >= 0
        place = owner[inside] * len(ACCOUNTS) + half[inside]
        totals += np.bincount(place, durations[inside], minlength=len(totals))
    columns = totals.reshape(steps, len(ACCOUNTS)).T
    return {f"share_{account}_ms": columns[index] for index, account in enumerate(ACCOUNTS)}


def ideal_shares(plans: StepPlans, costs: Costs, accept_rate: float) -> dict[Account, float]:
    """Split the least mean time of the steps of a training over the accounts.

    Each task takes its cost divided by the engines, and what is left of the bound is an engine
    that has nothing to do.

    Args:
        plans: plans of the steps.
        costs: times of the tasks.
        accept_rate: share of the samples that the gate accepts.

    Returns:
        Times in the unit of the costs.
    """
    shares = dict.fromkeys(ACCOUNTS, 0.0)
    for plan, share, accepted, hit in kinds_of_steps(plans, accept_rate):
        for task in plan.tasks:
            cost = share * costs.of(task, accepted, hit) / plan.engines
            shares[_ACCOUNT_OF[task.kind]] += cost
    shares["imbalance"] = mean_bound(plans, costs, accept_rate) - sum(shares.values())
    return shares


def _changes(
    results: StepResults, engines: int
) -> tuple[Column, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the moments at which an engine begins or ends something.

    Returns:
        The moments; the step that goes on, -1 behind its end; the engine; the account from then on.
    """
    spans, times = results.spans, results.times
    step = spans[:, STEP].astype(int)
    engine = spans[:, ENGINE].astype(int) if engines == 2 else np.zeros(len(spans), int)
    started = np.clip(spans[:, STARTED], times[step, 0], times[step, 1])
    ended = np.clip(spans[:, ENDED], times[step, 0], times[step, 1])
    idle = np.where(engine == 0, _SYNCHRONISATION, _NONE)
    steps = np.arange(len(times))
    zeros, outside = np.zeros(len(steps), int), np.full(len(steps), _NONE)
    synchronising = np.full(len(steps), _SYNCHRONISATION)
    # Of equal moments, ends come before beginnings: they stand first, and sorting keeps the order.
    return (
        np.concatenate([times[:, 0], times[:, 0], ended, started, times[:, 1]]),
        np.concatenate([steps, steps, step, step, outside]),
        np.concatenate([zeros, zeros + 1, engine, engine, zeros]),
        np.concatenate(
            [synchronising, outside, idle, _CODES[spans[:, KIND].astype(int)], synchronising]
        ),
    )


def _last_where(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each place the last chosen one up to it."""
    return np.maximum.accumulate(np.where(chosen, np.arange(len(chosen)), 0))


def _current(states: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    return states[_last_where(chosen)]


def _halves(
    zero: NDArray[np.int64], one: NDArray[np.int64], engines: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the accounts of both halves of moments in which the engines do `zero` and `one`."""
    if engines == 1:
        alone = np.where(zero == _NONE, _SYNCHRONISATION, zero)
        return alone, alone
    busy = np.where(zero != _NONE, zero, np.where(one != _NONE, one, _SYNCHRONISATION))
    other = np.where(busy == _PASSES, _IMBALANCE, busy)
    both = (zero != _NONE) & (one != _NONE)
    return np.where(both, zero, busy), np.where(both, one, other)
