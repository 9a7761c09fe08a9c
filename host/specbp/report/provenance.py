"""Where the numbers come from: machines, versions, and what makes them less comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specbp.report.pairing import Row

MACHINE = ("cpu", "cores", "platform")
"""The columns that tell machines apart; times are not compared across them."""

SOFTWARE = (
    "specbp_version",
    "git_commit",
    "git_dirty",
    "python_version",
    "torch_version",
    "numpy_version",
)
"""The columns that say which software made a run."""


@dataclass(frozen=True)
class Machine:
    """A kind of machine that contributed runs; two alike machines cannot be told apart.

    `cpu` names the processor, and behind it the GPUs that runs used.
    """

    cpu: str
    cores: str
    platform: str
    memory_gib: str
    runs: int


@dataclass(frozen=True)
class Software:
    """A set of versions that contributed runs."""

    specbp: str
    commit: str
    python: str
    torch: str
    numpy: str
    runs: int


@dataclass(frozen=True)
class Provenance:
    """Everything about the origin of the measured runs.

    Attributes:
        machines: one per processor model, core count and platform.
        software: one per set of versions.
        started: first and last time a run was begun, UTC, as recorded.
        warnings: what a reader must know before comparing numbers.
    """

    machines: tuple[Machine, ...]
    software: tuple[Software, ...]
    started: tuple[str, str] | None
    warnings: tuple[str, ...]


def provenance(runs: Sequence[Row]) -> Provenance:
    """Collect machines and versions of the measured `runs`, each once."""
    machines = tuple(_machine(group) for group in _grouped(runs, MACHINE))
    software = tuple(_software(group) for group in _grouped(runs, SOFTWARE))
    started = sorted(str(run["started"]) for run in runs if run["started"] is not None)
    return Provenance(
        machines,
        software,
        (started[0], started[-1]) if started else None,
        _warnings(machines, software),
    )


def _grouped(runs: Sequence[Row], names: Sequence[str]) -> list[list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for run in runs:
        groups.setdefault(tuple(run[name] for name in names), []).append(run)
    return [groups[key] for key in sorted(groups, key=repr)]


def _machine(runs: Sequence[Row]) -> Machine:
    memory = sorted({run["memory_gib"] for run in runs if run["memory_gib"] is not None})
    gpus = sorted({str(run["gpu"]) for run in runs if run["gpu"] is not None})
    return Machine(
        cpu=", ".join([_known(runs[0]["cpu"]), *gpus]),
        cores=_known(runs[0]["cores"]),
        platform=_known(runs[0]["platform"]),
        memory_gib=", ".join(f"{size:.3g}" for size in memory) or "not recorded",
        runs=len(runs),
    )


def _software(runs: Sequence[Row]) -> Software:
    run = runs[0]
    commit = _known(run["git_commit"])[:12]
    return Software(
        specbp=_known(run["specbp_version"]),
        commit=f"{commit} with uncommitted changes" if run["git_dirty"] else commit,
        python=_known(run["python_version"]),
        torch=_known(run["torch_version"]),
        numpy=_known(run["numpy_version"]),
        runs=len(runs),
    )


def _known(value: Any) -> str:
    return "not recorded" if value is None else str(value)


def _warnings(machines: Sequence[Machine], software: Sequence[Software]) -> tuple[str, ...]:
    found = []
    if len(machines) > 1:
        found.append(
            f"Runs come from {len(machines)} machines: times must not be compared across them. "
            "Ratios are given only between arms that were timed in turns on the same one."
        )
    if len(software) > 1:
        found.append(
            f"Runs come from {len(software)} sets of software versions; "
            "part of a difference may come from them."
        )
    if any("uncommitted" in versions.commit for versions in software):
        found.append(
            "The checkout had uncommitted changes: the commit alone does not reproduce these runs."
        )
    return tuple(found)
