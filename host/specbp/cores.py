"""How many CPU cores this process may use: its affinity, and the quota of its control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Return how many CPU cores this process may use, at least 1.

    A quota of one and a half cores counts as one: the second is not there half of the time.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cgroup_quota()
    return max(1, int(min(affinity or 1, affinity or 1 if quota is None else quota)))


def cgroup_quota(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Return the cores' worth of time that control groups grant, None where nothing limits it.

    The smallest quota of the group and all groups above it counts, in the versions 1 and 2 of
    control groups alike.

    Args:
        root: where control groups are mounted.
        membership: file that names the groups of the process.
    """
    quotas = [
        quota
        for folder in _groups(root, membership)
        if (quota := _quota_2(folder) or _quota_1(folder)) is not None
    ]
    return min(quotas, default=None)


def _groups(root: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders of the process's groups that may limit its time, and of those above."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            mounts = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / controllers, root / "cpu"]
        else:
            continue
        for mount in mounts:
            # In a container the mount may show the group itself as its root.
            group = Path(path.lstrip("/"))
            yield from (mount / one for one in (group, *group.parents))


def _quota_2(folder: Path) -> float | None:
    """Return the quota in a file of version 2: "QUOTA PERIOD", or "max PERIOD"."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_1(folder: Path) -> float | None:
    """Return the quota in files of version 1; -1 is none."""
    try:
        quota, period = (
            float((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period")
        )
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
