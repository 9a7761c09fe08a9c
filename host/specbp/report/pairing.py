"""Which runs may be held against each other: comparisons, their arms, and the baselines.

A comparison is every cell with equal work, seeds aside; its arms differ in method only. Two arms
are compared at the same seed, and only if they started from the same weights and saw the same
samples in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from specbp.errors import UsageError
from specbp.experiment import METHOD_FIELDS, WORK_FIELDS
from specbp.frames import RUNS
from specbp.report.overlay_time import SIMULATED
from specbp.report.titles import NETWORK, sort_key, titles

Row = Mapping[str, Any]
"""One row of the frame ``runs`` in plain values, ``None`` where it is null."""

SHARED_FIELDS = (*(name for name in WORK_FIELDS if name != "seed"), NETWORK)
"""The columns equal in every cell of a comparison; the seeds are its repeats.

The network counts beside the name of its model: who edits a model has another comparison.
"""

EQUAL_WORK = (NETWORK, "initial_weights_sha256", "sample_order_sha256", "dataset_sha256")
"""The columns that must be known, and equal between two arms at the same seed."""

WORK_DONE = ("first_weights_sha256", "samples_sha256")
"""The columns about what the steps really read, which older frames do not have.

They must be equal between two arms at the same seed where both have them.
"""

_KINDS = {column.name: column.kind for column in RUNS}


@dataclass(frozen=True)
class Arm:
    """The measured runs of one method within a comparison, one per seed and start."""

    name: str
    runs: tuple[Row, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were measured, ascending."""
        return tuple(run["seed"] for run in self.once_per_seed)

    @property
    def once_per_seed(self) -> tuple[Row, ...]:
        """Its runs without further starts, which train the same again."""
        by_seed = {run["seed"]: run for run in reversed(self.runs)}
        return tuple(by_seed[seed] for seed in sorted(by_seed))

    @property
    def is_repeatable(self) -> bool:
        """Whether all starts at a seed came to the same weights, as far as they are known."""
        weights: dict[int, set[str]] = {}
        for run in self.runs:
            if run["final_weights_sha256"] is not None:
                weights.setdefault(run["seed"], set()).add(run["final_weights_sha256"])
        return all(len(hashes) == 1 for hashes in weights.values())

    @property
    def cells(self) -> tuple[str, ...]:
        """The content hashes of the runs, in the order of seeds and starts."""
        return tuple(run["cell"] for run in self.runs)

    @property
    def sequential(self) -> bool:
        """Whether forward, backward and update follow one another."""
        return bool(self.runs[0]["schedule"] == "sequential")

    @property
    def engines(self) -> int:
        """Workers that compute at the same time."""
        return int(self.runs[0]["engines"])

    @property
    def threads(self) -> int:
        """Threads of all engines together: the resources the arm was given."""
        return self.engines * int(self.runs[0]["threads"])

    @property
    def backend(self) -> str:
        """What executed the schedule."""
        return str(self.runs[0]["backend"])

    @property
    def shares_cores(self) -> bool:
        """Whether its engines were seen to have fewer cores than threads: no time of it counts."""
        found = (run["cores_verified"] for run in self.runs)
        return any(cores is not None and cores < self.threads for cores in found)

    @property
    def method(self) -> str:
        """Its name without what executed it."""
        return self.name.replace(f", {self.backend}", "")

    @property
    def machine(self) -> tuple[str, int | None]:
        """What arms must share for their times to be compared: backend, and lanes of an overlay."""
        return self.backend, self.runs[0]["lanes"]


@dataclass(frozen=True)
class Comparison:
    """Arms that did the same work.

    Attributes:
        title: what tells this comparison from the others of the result set.
        work: the fields that all arms share, seed left out.
        arms: sequential ones first; empty when every cell failed or was skipped.
        left_out: rows that were not measured, with their reasons.
    """

    title: str
    work: Mapping[str, Any]
    arms: tuple[Arm, ...]
    left_out: tuple[Row, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any arm trained on random data, so that no accuracy may be claimed."""
        return any(run["synthetic"] for arm in self.arms for run in arm.runs)


def plain_rows(runs: pd.DataFrame) -> list[Row]:
    """Return the rows of the frame ``runs`` with nulls as ``None`` and whole numbers as ``int``.

    Pandas turns a column of integers into floats as soon as one of them is null.
    """

    def plain(name: str, value: Any) -> Any:
        if pd.isna(value):
            return None
        return _KINDS[name](value) if name in _KINDS else value

    return [
        {str(name): plain(str(name), value) for name, value in record.items()}
        for record in runs.to_dict("records")
    ]


def comparisons(runs: pd.DataFrame) -> tuple[Comparison, ...]:
    """Sort `runs` into comparisons, in the order of the values that tell them apart.

    Raises:
        UsageError: two arms at the same seed did not do equal work, or a run is there twice.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in plain_rows(runs):
        groups.setdefault(tuple(row[name] for name in SHARED_FIELDS), []).append(row)
    works = sorted((dict(zip(SHARED_FIELDS, key, strict=True)) for key in groups), key=sort_key)
    return tuple(
        _comparison(title, work, groups[tuple(work.values())])
        for title, work in zip(titles(works), works, strict=True)
    )


def one_thread_baseline(comparison: Comparison, arm: Arm) -> Arm | None:
    """Return the sequential arm with one thread, or core, on the backend of `arm`.

    None where it was not measured; an overlay with other lanes is another machine.
    """
    return _sequential(comparison, arm, threads=1)


def equal_resources_baseline(comparison: Comparison, arm: Arm) -> Arm | None:
    """Return the sequential arm with as many threads as all engines of `arm` have together."""
    return _sequential(comparison, arm, threads=arm.threads)


def common_seeds(arm: Arm, baseline: Arm) -> tuple[tuple[Row, Row], ...]:
    """Return runs of `arm` and `baseline` that share a seed, a pair for each seed."""
    by_seed = {run["seed"]: run for run in baseline.once_per_seed}
    ours = arm.once_per_seed
    return tuple((run, by_seed[run["seed"]]) for run in ours if run["seed"] in by_seed)


def common_starts(arm: Arm, baseline: Arm) -> tuple[tuple[Row, Row], ...]:
    """Return the runs of `arm` and `baseline` that share seed and start, pair by pair."""
    by_start = {_start(run): run for run in baseline.runs}
    return tuple((run, by_start[_start(run)]) for run in arm.runs if _start(run) in by_start)


def processes(pairs: Sequence[tuple[Row, Row]]) -> int | None:
    """Return in how many processes `pairs` were begun, None where that is not known."""
    names = {run["process"] for pair in pairs for run in pair}
    return None if None in names else len(names)


def _start(run: Row) -> tuple[int, int]:
    return run["seed"], run["start"] or 0


def timed_in_turns(pairs: Iterable[tuple[Row, Row]]) -> tuple[tuple[Row, Row], ...]:
    """Return the pairs whose two runs were trained in turns, in one session on one machine.

    Only their times can be compared; a run repeated alone, later or elsewhere, met other noise.
    Two runs on simulated overlays met none: what they took are cycles.
    """
    return tuple(
        (one, other)
        for one, other in pairs
        if (one["session"] is not None and one["session"] == other["session"])
        or (_counts_cycles(one) and _counts_cycles(other))
    )


def by_one_runtime(pairs: Iterable[tuple[Row, Row]]) -> tuple[tuple[Row, Row], ...]:
    """Return the pairs whose two runs were executed by the same runtime.

    Native steps held against steps in Python would show what Python costs, not what a schedule
    saves. A runtime that is not known, in frames of before, is taken for the same.
    """
    return tuple(
        (one, other)
        for one, other in pairs
        if None in (one["runtime"], other["runtime"]) or one["runtime"] == other["runtime"]
    )


def _counts_cycles(run: Row) -> bool:
    return run["backend"] in SIMULATED and run["cycles"] is not None


def _sequential(comparison: Comparison, arm: Arm, threads: int) -> Arm | None:
    for one in comparison.arms:
        if one.sequential and one.machine == arm.machine and one.threads == threads:
            return one
    return None


def _comparison(title: str, work: Mapping[str, Any], rows: Sequence[Row]) -> Comparison:
    by_arm: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_method_order):
        if row["status"] == "ok":
            by_arm.setdefault(row["arm"], []).append(row)
    arms = tuple(Arm(name, tuple(runs)) for name, runs in by_arm.items())
    for arm in arms:
        _check_one_run_per_seed(arm)
    _check_equal_work(arms)
    left_out = tuple(row for row in sorted(rows, key=_method_order) if row["status"] != "ok")
    return Comparison(title, work, arms, left_out)


def _check_one_run_per_seed(arm: Arm) -> None:
    for earlier, later in zip(arm.runs, arm.runs[1:], strict=False):
        if _start(earlier) == _start(later):
            raise UsageError(
                f"{_named(earlier)} and {_named(later)} are the same run: "
                "leave one of them out of the result set"
            )


def _check_equal_work(arms: Sequence[Arm]) -> None:
    reference: dict[int, Row] = {}
    for run in (run for arm in arms for run in arm.runs):
        first = reference.setdefault(run["seed"], run)
        for name in (*EQUAL_WORK, *WORK_DONE):
            if run[name] is None and name in EQUAL_WORK:
                raise UsageError(f"{_named(run)} has no {name}: equal work cannot be checked")
            known = name in EQUAL_WORK or None not in (run[name], first[name])
            if known and run[name] != first[name]:
                raise UsageError(
                    f"{_named(first)} and {_named(run)} did not do equal work: {name} is "
                    f"{str(first[name])[:12]} in one and {str(run[name])[:12]} in the other"
                )


def _named(run: Row) -> str:
    return f'cell {run["cell"]} ("{run["arm"]}", seed {run["seed"]})'


def _method_order(row: Row) -> tuple[Any, ...]:
    method = _sortable(tuple(row[name] for name in METHOD_FIELDS))
    return (row["schedule"] != "sequential", method, str(row["arm"]), *_start(row))


def _sortable(values: Sequence[Any]) -> tuple[Any, ...]:
    """Make mixed values comparable: nulls first, then numbers by size, then words."""
    return tuple(
        (0, 0.0, "")
        if value is None
        else (2, 0.0, value)
        if isinstance(value, str)
        else (1, float(value), "")
        for value in values
    )
