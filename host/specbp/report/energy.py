"""Energy of a step beside its time, where it was measured; else why it was not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specbp.report.pairing import Comparison


@dataclass(frozen=True)
class StepEnergy:
    """The energy of a mean training step.

    Attributes:
        comparison: title of the comparison.
        arm: name of the arm.
        milliseconds: mean time of a step.
        joules: mean energy of a step; None where no seed was measured.
        source: what counted it; where nothing did, the reason.
    """

    comparison: str
    arm: str
    milliseconds: float
    joules: float | None
    source: str


def step_energies(comparisons: Iterable[Comparison]) -> tuple[StepEnergy, ...]:
    """Return a row for each arm; none at all where no arm has an energy."""
    found = tuple(comparisons)
    runs = [run for comparison in found for arm in comparison.arms for run in arm.runs]
    if all(run.get("joules_per_step") is None for run in runs):
        return ()
    return tuple(row for comparison in found for row in _of(comparison))


def _of(comparison: Comparison) -> Iterable[StepEnergy]:
    for arm in comparison.arms:
        known = [run for run in arm.runs if run.get("joules_per_step") is not None]
        joules = [float(run["joules_per_step"]) for run in known]
        times = [1e3 * run["train_s"] / run["steps"] for run in known or arm.runs]
        first = (known or arm.runs)[0]
        yield StepEnergy(
            comparison.title,
            arm.name,
            sum(times) / len(times),
            sum(joules) / len(joules) if joules else None,
            str(first.get("energy_source") or first.get("energy_reason") or ""),
        )
