"""Where the cycles of a step go, and how far it is from what its passes allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specbp.overlay.core_cycles import Event
from specbp.overlay.cycles import PassCycles, Prediction
from specbp.overlay.instructions import Unit

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


def kind_of(work: str) -> str:
    """Return which part of a step a pass belongs to: "deltas" and "update" have several passes."""
    if work in DELTAS:
        return "deltas"
    return "update" if work in UPDATES else work


def sequential_cycles(passes: Iterable[PassCycles]) -> SequentialCycles:
    """Add up the passes of a sequential step on one core."""
    cycles = {"forward": 0, "deltas": 0, "weight gradient": 0, "update": 0}
    for one in passes:
        cycles[kind_of(one.tag.work)] += one.cycles
    return SequentialCycles(*cycles.values())


@dataclass(frozen=True)
class CoreSpan:
    """Cycles that a core spends on one thing.

    Attributes:
        started: at which cycle of the step.
        ended: cycle at which the span ends, or after which the core has ended.
        doing: "computing", "other core" or "memory"; see `CoreTime`.
        position: position in the program of the descriptor that computes; None while nothing does.
    """

    started: float
    ended: float
    doing: str
    position: int | None = None

    @property
    def cycles(self) -> float:
        """How long."""
        return self.ended - self.started


@dataclass(frozen=True)
class CoreTime:
    """Where the cycles of a step go on one core; all but `contention` add up to the step.

    Attributes:
        computing: the compute unit works.
        other_core: it waits at a shared semaphore, for what the other core does.
        memory: it waits for its own loads, stores, barriers and descriptors.
        ended: cycle at which the span ends, or after which the core has ended.
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


def core_spans(events: Sequence[Event]) -> list[CoreSpan]:
    """Return what a core does from the start of a step to the end of its program, without a gap."""
    waits = _merged(
        (one.given, one.started)
        for one in events
        if one.waited_for == "other core" and one.started > one.given
    )
    spans: list[CoreSpan] = []
    now = 0.0
    for one in events:
        if one.unit is Unit.COMPUTE and one.ended > now:
            spans += _waiting(now, max(one.started, now), waits)
            now = max(one.started, now)
            spans.append(CoreSpan(now, one.ended, "computing", one.position))
            now = one.ended
    end = max((one.ended for one in events), default=0.0)
    return [one for one in [*spans, *_waiting(now, end, waits)] if one.cycles > 0]


def _core_time(events: Sequence[Event], total: int) -> CoreTime:
    spans = core_spans(events)
    computing, other = (
        sum(one.cycles for one in spans if one.doing == doing)
        for doing in ("computing", "other core")
    )
    end = spans[-1].ended if spans else 0.0
    contention = sum(one.late for one in events)
    whole = [round(value) for value in (computing, other, end - computing - other, total - end)]
    return CoreTime(whole[0], whole[1], whole[2], whole[3], round(contention))


def _waiting(start: float, end: float, waits: Sequence[tuple[float, float]]) -> list[CoreSpan]:
    """Split a gap between `start` and `end` into waits for the other core and others."""
    spans = []
    for first, last in waits:
        first, last = max(first, start), min(last, end)
        if first < last:
            spans += [CoreSpan(start, first, "memory"), CoreSpan(first, last, "other core")]
            start = last
    return [*spans, CoreSpan(start, end, "memory")]


def _merged(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the moments that lie in any of `intervals`, in order."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
