"""Whether the engines and threads of an experiment really run at the same time, each on a core.

Tried before anything is timed, once per process and setting, in about 20 ms: every engine computes
on its own intra-op threads, and the operating system says which threads got time, and on which
cores each of them may run. Settings of OpenMP that clusters make can take threads away, on which
PyTorch's convolutions wait for ever, or bind two engines to one core.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Barrier

import torch
from torch import Tensor

from specbp.cores import available_cores, cgroup_quota
from specbp.errors import UsageError

TASKS = Path("/proc/self/task")
WARM_UP_S = 0.003
PROBES_S = (0.015, 0.03, 0.06, 0.12, 0.24)
ELEMENTS_PER_THREAD = 1 << 16
"""Two grains of PyTorch's: enough for every thread to have its part."""
LEAST_SHARE = 0.25
"""A thread with less of the time of the busiest one had no part in the work."""

BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
LIMITING = ("OMP_THREAD_LIMIT", "OMP_DYNAMIC", "KMP_DEVICE_THREAD_LIMIT", "KMP_ALL_THREADS")


@dataclass(frozen=True)
class Simultaneity:
    """What was found when all engines computed at once.

    Attributes:
        threads: threads that had part in the work; None where the system does not say.
        cores: cores that these threads can have at the same time, each one of its own.
        received: CPU time of all over wall time: what other work on the machine left of the cores.
    """

    threads: int | None
    cores: int | None
    received: float


@cache
def require_cores(engines: int, threads: int) -> dict[str, float | int | None]:
    """Return the columns of the frame `runs` about the cores of so many engines.

    Two engines of one thread each may share the only core there is: they train as on two, and
    `cores_verified` says that their times do not count.

    Args:
        engines: number of engines that compute at the same time.
        threads: intra-op threads of each.

    Raises:
        UsageError: there are fewer cores than threads, or OpenMP's settings take threads away or
            bind them to fewer cores.
    """
    wanted = engines * threads
    what = f"{engines} engines x {threads} threads" if engines > 1 else f"{threads} threads"
    bound = _settings(BINDING)
    cores = (os.cpu_count() or 1) if bound else available_cores()
    if wanted > cores and threads > 1:
        raise UsageError(
            f"{what} need {wanted} cores, and this process may use {cores}: lower --threads"
        )
    if threads > 1 and _is_dynamic():
        raise UsageError("OMP_DYNAMIC lets OpenMP take threads away at any time: unset it")
    found = measure(engines, threads)
    if found.threads is not None and found.threads < wanted:
        raise UsageError(
            f"{what} were asked for, {found.threads} ran{_because(LIMITING)}: "
            "unset what limits OpenMP, or lower --threads"
        )
    if found.cores is not None and found.cores < wanted and (bound or threads > 1):
        raise UsageError(
            f"{what} need {wanted} cores, and are bound to {found.cores}{_because(BINDING)}: "
            "unset what binds them"
        )
    return {"cores_verified": found.cores, "cores_received": round(found.received, 2)}


@cache
def usable_threads() -> int:
    """Return how many intra-op threads work that is not timed may use."""
    cores = available_cores()
    if cores == 1 or _is_dynamic():
        return 1
    return measure(1, cores).threads or cores


def measure(engines: int, threads: int) -> Simultaneity:
    """Let so many engines compute at the same time and return what was found.

    On a busy machine a thread may wait for longer than the probe lasts: where one is missing, more
    and longer probes are made.
    """
    for seconds in PROBES_S:
        found = _measure(engines, threads, seconds)
        if found.threads is None or found.threads == engines * threads:
            break
    return found


def _measure(engines: int, threads: int, seconds: float) -> Simultaneity:
    """Measure for so many seconds. As in a training, the caller is engine 0."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    warm = Barrier(engines)
    others = [_engine(threads) for _ in range(engines - 1)]
    try:
        work = [engine.submit(partial(_compute, threads, seconds, warm)) for engine in others]
        before, received = _compute(threads, seconds, warm)
        for one in work:
            one.result()
        return _found(before, _cpu_times(), engines * threads, received)
    finally:
        for engine in others:
            engine.shutdown()
        torch.set_num_threads(threads_before)


def _engine(threads: int) -> ThreadPoolExecutor:
    """Return a thread with so many intra-op threads of its own."""

    def begin() -> None:
        torch.set_num_threads(threads)
        torch.get_num_threads()  # PyTorch settles a thread's number when it is first asked for

    return ThreadPoolExecutor(1, initializer=begin)


def _compute(threads: int, seconds: float, warm: Barrier) -> tuple[dict[int, float], float]:
    """Compute for a while, and after that for as long as is measured.

    Returns:
        The CPU time of every thread before the measured part, and the CPU time of the process
        over wall time in it.
    """
    numbers = torch.ones(threads * ELEMENTS_PER_THREAD)
    _compute_for(WARM_UP_S, numbers)
    warm.wait()
    before, started, used = _cpu_times(), time.perf_counter(), time.process_time()
    _compute_for(seconds, numbers)
    return before, (time.process_time() - used) / (time.perf_counter() - started)


def _compute_for(seconds: float, numbers: Tensor) -> None:
    ends = time.perf_counter() + seconds
    numbers.sin_()
    while time.perf_counter() < ends:
        numbers.sin_()


def _cpu_times() -> dict[int, float]:
    """Return the CPU time of every thread of this process, s; nothing where that is not known."""
    found = {}
    for thread in map(int, (path.name for path in TASKS.iterdir()) if TASKS.is_dir() else ()):
        with suppress(OSError):  # the thread has ended
            found[thread] = time.clock_gettime(_clock_of(thread))
    return found


def _clock_of(thread: int) -> int:
    """Return Linux's clock of the CPU time of a thread of this process."""
    per_thread, scheduler = 4, 2
    return (~thread << 3) | per_thread | scheduler


def _found(
    before: Mapping[int, float], after: Mapping[int, float], wanted: int, received: float
) -> Simultaneity:
    spent = {thread: total - before.get(thread, 0.0) for thread, total in after.items()}
    if not spent:
        return Simultaneity(None, None, received)
    busiest = max(spent.values())
    took_part = [one for one in spent if spent[one] >= LEAST_SHARE * busiest]
    took_part = sorted(took_part, key=lambda one: -spent[one])[:wanted]
    allowed = []
    for thread in took_part:
        with suppress(OSError):
            allowed.append(os.sched_getaffinity(thread))
    quota = cgroup_quota()
    cores = cores_of_their_own(allowed)
    if quota is not None:
        cores = min(cores, max(1, int(quota)))
    return Simultaneity(len(took_part), cores, received)


def cores_of_their_own(allowed: Sequence[Collection[int]]) -> int:
    """Return how many threads can run at the same time, each on another core.

    Args:
        allowed: for each thread the cores that it may run on.
    """
    thread_on: dict[int, int] = {}

    def place(thread: int, tried: set[int]) -> bool:
        for core in allowed[thread]:
            if core not in tried:
                tried.add(core)
                if core not in thread_on or place(thread_on[core], tried):
                    thread_on[core] = thread
                    return True
        return False

    return sum(place(thread, set()) for thread in range(len(allowed)))


def _settings(names: Sequence[str]) -> list[str]:
    """Return those of the environment variables that are set and do something, as NAME=VALUE."""
    found = {name: os.environ.get(name, "").strip() for name in names}
    return [
        f"{name}={value}"
        for name, value in found.items()
        if value and not (name == "OMP_PROC_BIND" and value.lower() == "false")
    ]


def _because(names: Sequence[str]) -> str:
    settings = _settings(names)
    return f" ({', '.join(settings)})" if settings else ""


def _is_dynamic() -> bool:
    return os.environ.get("OMP_DYNAMIC", "").strip().lower() in ("true", "1", "yes", "on")
