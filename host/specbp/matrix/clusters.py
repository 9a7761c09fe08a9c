"""Clusters of workers, started or found: processes of this machine, jobs, a scheduler."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specbp.errors import SpecbpError, UsageError
from specbp.matrix.cluster_choice import SSH, ClusterChoice, ClusterFile, read_cluster
from specbp.matrix.starts import signals_blocked

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 30
INSTALL = 'pip install "specbp[cluster]"'
_CONFIGURATION = {
    # A checkpoint may go with a comparison.
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


@contextmanager
def connected(choice: ClusterChoice) -> Iterator[Client]:
    """Start a cluster, or find it, and connect to its scheduler.

    Raises:
        UsageError: Dask is not installed, or a file describes no cluster.
        SpecbpError: the scheduler does not answer, or the cluster cannot be started.
    """
    described = read_cluster(choice.file) if choice.file else None
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise UsageError(f"a cluster needs Dask: {INSTALL}") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(_CONFIGURATION), _started(choice, described) as address:
        try:
            client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SpecbpError(
                f"no scheduler answers at {choice.scheduler} ({type(error).__name__}): start one "
                f"with dask scheduler, and workers with dask worker {choice.scheduler}"
            ) from error
        with client:
            yield client


@contextmanager
def _started(choice: ClusterChoice, described: ClusterFile | None) -> Iterator[Any]:
    """Start what is to be started; give what a client connects to."""
    if choice.scheduler:
        yield choice.scheduler
        return
    # A signal that stops this command must not stop its workers: they are told.
    with signals_blocked():
        if described is None:
            cluster = _local(choice.workers or 1)
        else:
            assert choice.file is not None
            cluster = _described(described, choice.file)
    try:
        yield cluster
    finally:
        cluster.close()


def _local(workers: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
        dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
    )  # fmt: skip


def _described(described: ClusterFile, path: Path) -> Any:
    """Start the cluster that a file describes.

    Raises:
        UsageError: dask-jobqueue is not installed, or has no such option.
        SpecbpError: the cluster does not start.
    """
    try:
        package = "distributed" if described.kind == SSH else "dask_jobqueue"
        cluster = getattr(importlib.import_module(package), described.kind)(**described.options)
        if described.kind != SSH:
            # A job that ends, such as at its time limit, is followed by another one.
            cluster.adapt(minimum_jobs=described.jobs, maximum_jobs=described.jobs)
    except ImportError as error:
        raise UsageError(f"{path}: {described.kind}: {error}: {INSTALL}") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: {described.kind}: {error}") from error
    except (OSError, RuntimeError) as error:
        raise SpecbpError(f"{path}: {described.kind} did not start: {error}") from error
    return cluster
