"""The one structure that holds the numbers of a report; every rendering reads it, none computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from specbp.report.cycles import StepCycles
from specbp.report.energy import StepEnergy
from specbp.report.learning import LearningNote
from specbp.report.overlay_steps import NotPredicted, TwoCoreStep
from specbp.report.provenance import Provenance
from specbp.report.statistics import MeanInterval, RatioInterval

ACCURACY_MARGIN = 0.5
"""Loss of test accuracy, percentage points, that counts as none unless another is asked for."""


@dataclass(frozen=True)
class ArmComparison:
    """One arm held against another that did the same work.

    Attributes:
        comparison: title of the comparison both belong to.
        arm: name of the arm.
        baseline: name of the arm it is held against.
        cells: content hashes of the runs of both that enter `time`.
        seeds: the seeds at which both were timed in turns; only these enter `time`.
        processes: number of processes that these repeats ran in; ``None`` where it is not known.
        time: total step time of `arm` over that of `baseline`.
        whole_loop: total time with the work between steps; ``None`` where it was not recorded.
        typical: the time of a typical step of `arm` over that of `baseline`.
        withheld: why no verdict is given on the time; empty where one is.
        accuracy: test accuracy of `arm` minus that of `baseline` over all seeds of both,
            percentage points; ``None`` where none may be claimed (synthetic data) or none was
            measured.
        synthetic: trained on random data.
    """

    comparison: str
    arm: str
    baseline: str
    cells: tuple[str, ...]
    seeds: tuple[int, ...]
    processes: int | None
    time: RatioInterval
    typical: RatioInterval
    whole_loop: RatioInterval | None
    accuracy: MeanInterval | None
    synthetic: bool
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotCompared:
    """Why there is no ratio where one is expected; shown in its place."""

    reason: str


IS_BASELINE = NotCompared("is the baseline")
NOT_MEASURED = NotCompared("not measured")
OTHER_SEEDS = NotCompared("not measured at the same seeds")
SHARES_CORES = NotCompared("its engines shared a core")
NOT_IN_TURNS = NotCompared("not timed in turns with this arm")
OTHER_RUNTIME = NotCompared("executed by another runtime")


@dataclass(frozen=True)
class StepTime:
    """Wall time of a step over all steps of all seeds, ms."""

    median: float
    p05: float
    p95: float


@dataclass(frozen=True)
class OverBound:
    """What lies between the bound and the mean step, means over seeds, ms.

    Attributes:
        bound_ms: the bound as a time.
        parts: name and time of each part of the difference; negative where the step did better
            there than the bound has it.
    """

    bound_ms: float
    parts: tuple[tuple[str, float], ...]

    @property
    def step_ms(self) -> float:
        """The mean step."""
        return self.bound_ms + sum(ms for _, ms in self.parts)


@dataclass(frozen=True)
class ArmSummary:
    """All that a report says about one arm of one comparison.

    Attributes:
        name: short name of the method.
        sequential: nothing overlaps; a baseline or a control.
        scheme: what kind of training it is, in the words of `specbp.report.schemes`.
        workers: what its engines are made of: ``thread``, ``stream`` or ``core``.
        backend: what executed the schedule.
        seeds: seeds that were measured.
        steps: steps timed, all seeds together.
        step_time: percentiles of the time of a step, ms.
        bound: ideal step time over one-thread sequential F + B, mean over seeds.
        over_bound: how the mean step differs from the bound; ``None`` where it was not recorded.
        accept_rate: accepted share of the samples, mean over seeds; ``None`` if not speculative.
        accuracy: test accuracy after the last epoch, percent; ``None`` for synthetic data.
        one_thread: against the sequential arm with one thread.
        equal_resources: against the sequential arm with as many threads as all engines together.
        accuracy_change: test accuracy minus that of the sequential arm with one thread, over the
            seeds of both, percentage points.
        accuracy_margin: loss of accuracy, percentage points, that non-inferiority is tested at.
        step_ms: the mean step, which the total time is made of.
        between_ms: mean work of the loop outside the clock of a step; ``None`` where unknown.
        peak_memory_mib: memory that it took at most, the largest of its runs; ``None`` where
            unknown.
        repeatable: whether all starts at a seed came to the same weights.
        verdict: ``did not learn`` or ``fell apart`` where a training of it did, else empty.
    """

    name: str
    sequential: bool
    scheme: str
    workers: str
    backend: str
    seeds: tuple[int, ...]
    steps: int
    step_time: StepTime
    bound: float | None
    over_bound: OverBound | None
    accept_rate: float | None
    accuracy: MeanInterval | None
    one_thread: ArmComparison | NotCompared
    equal_resources: ArmComparison | NotCompared
    accuracy_change: MeanInterval | NotCompared
    accuracy_margin: float
    step_ms: float
    between_ms: float | None
    peak_memory_mib: float | None
    repeatable: bool = True
    verdict: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A cell that was not measured, and why."""

    comparison: str
    arm: str
    seed: int
    status: str
    reason: str


@dataclass(frozen=True)
class ComparisonSummary:
    """The arms of one comparison, side by side.

    Attributes:
        title: what tells it from the other comparisons.
        work: the fields all arms share.
        synthetic: trained on random data; timing only.
        arms: sequential ones first.
        hashes: for every seed the hashes that all arms have in common.
        overlay: the step of each arm that ran on two cores of an overlay.
        learning: the trainings that did not learn, or fell apart.
        cores: a sentence for each arm whose engines did not have their cores to themselves.
    """

    title: str
    work: Mapping[str, Any]
    synthetic: bool
    arms: tuple[ArmSummary, ...]
    hashes: tuple[Mapping[str, Any], ...]
    overlay: tuple[TwoCoreStep | NotPredicted, ...] = ()
    learning: tuple[LearningNote, ...] = ()
    cores: tuple[str, ...] = ()

    @property
    def workers(self) -> str:
        """What engines are made of: ``thread``, ``stream`` or ``core``, or several of these."""
        return " or ".join(sorted({arm.workers for arm in self.arms}))


@dataclass(frozen=True)
class Summary:
    """Everything a report shows but its curves."""

    comparisons: tuple[ComparisonSummary, ...]
    left_out: tuple[LeftOut, ...]
    provenance: Provenance
    cycles: tuple[StepCycles, ...] = ()
    energies: tuple[StepEnergy, ...] = ()
