"""Where the cycles of a step go, and how far it is from what its passes allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specbp.overlay.core_cycles import Event
from specbp.overlay.cycles import PassCycles, Prediction
from specbp.overlay.races import Unit

DELTAS = ("input gradient", "mask")
UPDATES = ("weight update", "bias update")


@dataclass(frozen=True)
class SequentialCycles:
    """Cycles of the passes of a sequential step on one core.

    Attributes:
        forward: F.
        deltas: D, of the deltas on their way down.
        weight_gradients: W.
        updates: U.
    """

    forward: int
    deltas: int
    weight_gradients: int
    updates: int

    @property
    def total(self) -> int:
        """F + D + W + U, the whole step."""
        return self.forward + self.deltas + self.weight_gradients + self.updates

    @property
    def papers_bound(self) -> float:
        """max(F, B) / (F + B), where B is all but the forward."""
        return max(self.forward, self.total - self.forward) / self.total

    def bound(self, balanced: bool, free: bool, reject_rate: float = 0.0) -> float:
        """Return the least time of a speculative step over that of the sequential one.

        Nothing but the passes takes time. Updates go beside weight gradients, on the other core:

            max(F, D) + r·D + max(W, U)     after the gate
            max(F, D + W)                   without a gate
            (F + (1 + r)·D + W + U) / 2     balanced
        """
        redone = reject_rate * self.deltas
        if balanced:
            ideal = (self.total + redone) / 2
        elif free:
            ideal = max(self.forward, self.deltas + self.weight_gradients)
        else:
            after = max(self.weight_gradients, self.updates)
            ideal = max(self.forward, self.deltas) + redone + after
        return ideal / self.total


def sequential_cycles(passes: Iterable[PassCycles]) -> SequentialCycles:
    """Add up the passes of a sequential step on one core."""
    cycles = {"forward": 0, "deltas": 0, "weight gradient": 0, "update": 0}
    for one in passes:
        if one.tag.work in DELTAS:
            kind = "deltas"
        elif one.tag.work in UPDATES:
            kind = "update"
        else:
            kind = one.tag.work
        cycles[kind] += one.cycles
    return SequentialCycles(*cycles.values())


@dataclass(frozen=True)
class CoreTime:
    """Where the cycles of a step go on one core; all but `contention` add up to the step.

    Attributes:
        computing: the compute unit works.
        other_core: it waits at a shared semaphore, for what the other core does.
        memory: it waits for its own loads, stores, barriers and descriptors.
        ended: its program is over, the other core's is not.
        contention: cycles by which transfers took longer beside the other core's; transfers
            overlap with computing, so this is not time of its own.
    """

    computing: int
    other_core: int
    memory: int
    ended: int
    contention: int


def core_times(prediction: Prediction) -> list[CoreTime]:
    """Return where the cycles of each core go."""
    return [_core_time(core.events, prediction.total) for core in prediction.cores]


def _core_time(events: Sequence[Event], total: int) -> CoreTime:
    waits = [
        (one.given, one.started)
        for one in events
        if one.waited_for == "other core" and one.started > one.given
    ]
    now = computing = other = 0.0
    compute = [one for one in events if one.unit is Unit.COMPUTE]
    for one in compute:
        gap = now, max(one.started, now)
        other += sum(_overlap(gap, wait) for wait in waits)
        computing += max(one.ended - max(one.started, now), 0.0)
        now = max(now, one.ended)
    end = max((one.ended for one in events), default=0.0)
    other += sum(_overlap((now, end), wait) for wait in waits)
    contention = sum(one.late for one in events)
    whole = [round(value) for value in (computing, other, end - computing - other, total - end)]
    return CoreTime(whole[0], whole[1], whole[2], whole[3], round(contention))


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
