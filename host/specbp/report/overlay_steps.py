"""Steps on two cores of an overlay: predicted anew, beside their bound and the cycles they took."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from specbp.defaults import SPECULATION_FIELDS
from specbp.errors import UsageError
from specbp.experiment import Experiment, experiment_from
from specbp.report.pairing import Arm, Comparison
from specbp.report.published import STEPS

if TYPE_CHECKING:
    from specbp.backends.overlay.explained import Explained, ExplainedStep

COLUMNS = 400
"""Parts of a step that a picture can tell from each other."""

COMPUTING = ("forward", "deltas", "weight gradient", "update", "gate")
WAITS_FOR_OTHER, WAITS_FOR_MEMORY = "waits for the other core", "waits for memory, barriers"

_PROGRAM_FIELDS = (
    "dataset",
    "model",
    "batch_size",
    "lanes",
    "schedule",
    "engines",
    *(name for name in SPECULATION_FIELDS if name != "gate_threshold"),
)
"""What the programs of a step depend on; of the gate only the metric, and whether there is one."""


@dataclass(frozen=True)
class TwoCoreStep:
    """The step of an arm on two cores of an overlay.

    Attributes:
        arm: name of the arm.
        method: name of the method, without what ran it.
        rejects: samples that the gate rejected in the median step; None where nothing is
            speculated.
        predicted: a step with so many.
        accepted: a step with none.
        usual_cycles: mean cycles of the arm's steps with so many rejected samples.
        mean_cycles: mean cycles of all steps.
    """

    arm: str
    method: str
    rejects: int | None
    predicted: ExplainedStep
    accepted: ExplainedStep
    usual_cycles: float
    mean_cycles: float


@dataclass(frozen=True)
class NotPredicted:
    """Why the steps of an arm on two cores are not predicted."""

    arm: str
    reason: str


@dataclass(frozen=True)
class CoreBar:
    """What a core does for some cycles of a picture.

    Attributes:
        started: at which cycle.
        ended: cycle at which it does something else.
        kind: one of `COMPUTING`, or one of the two waits.
        layer: name of the layer; empty while the core waits.
    """

    started: float
    ended: float
    kind: str
    layer: str


def overlay_steps(
    comparison: Comparison, steps: Mapping[str, pd.DataFrame]
) -> tuple[TwoCoreStep | NotPredicted, ...]:
    """Return the step of each arm of `comparison` that ran on two cores of an overlay.

    Args:
        comparison: comparison with the arms.
        steps: rows of the frame ``steps`` by cell.
    """
    return tuple(
        _overlay_step(arm, pd.concat([steps[cell] for cell in arm.cells]))
        for arm in comparison.arms
        if arm.backend != "cpu" and arm.engines > 1 and arm.runs[0]["cycles"] is not None
    )


def bars(step: ExplainedStep, core: int) -> list[CoreBar]:
    """Return what `core` does in a step, each of `COLUMNS` parts as what takes most of it.

    The gate is short, and all turns on it: it is shown wherever it is.
    """
    from specbp.overlay.explained import core_spans, kind_of

    width = step.cycles / COLUMNS
    program = step.compiled.programs[core]
    columns: list[dict[tuple[str, str], float]] = [defaultdict(float) for _ in range(COLUMNS)]
    for span in core_spans(step.prediction.cores[core].events):
        key = WAITS_FOR_OTHER if span.doing == "other core" else WAITS_FOR_MEMORY, ""
        if span.position is not None:
            tag = program[span.position].tag
            if kind_of(tag.work) in COMPUTING:
                key = kind_of(tag.work), tag.layer
        for number in range(int(span.started / width), COLUMNS):
            inside = min(span.ended, (number + 1) * width) - max(span.started, number * width)
            if inside <= 0:
                break
            columns[number][key] += inside
    return list(_joined(columns, width))


def _joined(columns: Iterable[Mapping[tuple[str, str], float]], width: float) -> Iterable[CoreBar]:
    """Yield a bar for each run of columns in which the same takes most."""
    last: CoreBar | None = None
    for number, column in enumerate(columns):
        if not column:
            break  # the core has ended
        kind, layer = max(column, key=lambda key: (key[0] == "gate", column[key]))
        end = (number + 1) * width
        if last and (last.kind, last.layer) == (kind, layer):
            last = CoreBar(last.started, end, kind, layer)
            continue
        if last:
            yield last
        last = CoreBar(number * width, end, kind, layer)
    if last:
        yield last


def _overlay_step(arm: Arm, steps: pd.DataFrame) -> TwoCoreStep | NotPredicted:
    run = arm.runs[0]
    if STEPS in steps:
        return NotPredicted(arm.name, "its steps are summed up to rounds")
    if steps["cycles"].isna().any():
        return NotPredicted(arm.name, "not every step has its cycles in the frames")
    if run["clock_mhz"] is None or run["lanes"] is None:
        return NotPredicted(arm.name, "the frames hold neither clock nor lanes of the overlay")
    if ":" in str(run["model"]):
        return NotPredicted(arm.name, f"the frames do not hold the network of {run['model']}")
    rejects, usual = None, steps
    if steps["rejects"].notna().all():
        rejects = int(statistics.median_low(steps["rejects"]))
        usual = steps[steps["rejects"] == rejects]
    try:
        described = experiment_from({name: run[name] for name in Experiment.model_fields})
        programs, clock_mhz = _same_programs(described), run["clock_mhz"]
        predicted = _predicted(programs, clock_mhz, rejects or 0)
        accepted = _predicted(programs, clock_mhz, 0)
    except UsageError as error:
        return NotPredicted(arm.name, f"its programs cannot be compiled again: {error}")
    return TwoCoreStep(
        arm=arm.name,
        method=arm.method,
        rejects=rejects,
        predicted=predicted,
        accepted=accepted,
        usual_cycles=float(usual["cycles"].mean()),
        mean_cycles=float(steps["cycles"].mean()),
    )


def _same_programs(experiment: Experiment) -> Experiment:
    """Return one experiment for all that run the same programs."""
    fields = {name: getattr(experiment, name) for name in _PROGRAM_FIELDS}
    gate = None if experiment.gate_threshold is None else 0.0
    return experiment_from({**fields, "gate_threshold": gate, "backend": "sim:model"})


@lru_cache(maxsize=16)
def _explained(programs: Experiment, clock_mhz: float) -> Explained:
    from specbp.backends.overlay.explained import explained_without_data

    return explained_without_data(programs, clock_mhz)


@lru_cache(maxsize=64)
def _predicted(programs: Experiment, clock_mhz: float, rejects: int) -> ExplainedStep:
    """Return a predicted step, the same object for the same programs."""
    return _explained(programs, clock_mhz).step(rejects)
