"""Which cluster is to train, as the command line and a file say it.

A file names a class of dask-jobqueue, or Dask's SSHCluster, and its options:

    kind = "SLURMCluster"
    jobs = 4

    [options]
    queue = "normal"
    cores = 8
    memory = "16GB"
    walltime = "04:00:00"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specbp.errors import UsageError, nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SSH = "SSHCluster"
JOB_QUEUES = (
    "HTCondorCluster",
    "LSFCluster",
    "MoabCluster",
    "OARCluster",
    "PBSCluster",
    "SGECluster",
    "SLURMCluster",
)
"""Classes of dask-jobqueue."""
_KEYS = ("kind", "jobs", "options")


@dataclass(frozen=True)
class ClusterChoice:
    """Which cluster trains; one of the three is set.

    Attributes:
        workers: number of processes of this machine.
        scheduler: address of a scheduler that runs.
        file: file that describes a cluster.
    """

    workers: int | None = None
    scheduler: str | None = None
    file: Path | None = None


@dataclass(frozen=True)
class ClusterFile:
    """A cluster as a file describes it.

    Attributes:
        kind: name of the class that starts it.
        jobs: number of jobs that a queue is given.
        options: arguments of the class.
    """

    kind: str
    jobs: int
    options: Mapping[str, Any]


def read_cluster(path: Path) -> ClusterFile:
    """Read a file that describes a cluster.

    Raises:
        UsageError: it is missing, is not TOML, or describes none.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    for key in given:
        if key not in _KEYS:
            raise UsageError(f'{path}: unknown key "{key}"{nearest(key, _KEYS)}')
    kind, jobs, options = given.get("kind"), given.get("jobs", 1), given.get("options", {})
    kinds = (*JOB_QUEUES, SSH)
    if kind not in kinds:
        raise UsageError(
            f"{path}: kind = {kind!r}{nearest(kind, kinds)}: choose one of {', '.join(kinds)}"
        )
    if type(jobs) is not int or jobs < 1:
        raise UsageError(f"{path}: jobs = {jobs!r}: it must be a whole number from 1")
    if not isinstance(options, dict):
        raise UsageError(f"{path}: options = {options!r}: it must be a table, [options]")
    return ClusterFile(kind, jobs, options)
