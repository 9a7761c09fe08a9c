"""Engines and threads without cores of their own: refused or marked, never timed in silence."""

import os
import subprocess
import sys

import pytest

from specbp.backends.cpu.simultaneity import cores_of_their_own, measure, require_cores
from specbp.cores import available_cores
from specbp.errors import UsageError

PROGRAM = """
import sys
from specbp.backends.cpu.simultaneity import require_cores, usable_threads
from specbp.errors import UsageError
engines, threads = map(int, sys.argv[1:])
try:
    print(require_cores(engines, threads)["cores_verified"], usable_threads())
except UsageError as error:
    print("refused:", error)
"""
two_cores = pytest.mark.skipif(available_cores() < 2, reason="this process has one core")


def tried(engines, threads, taskset=None, **settings):
    """What is said in a process of its own under these settings of OpenMP."""
    command = [sys.executable, "-c", PROGRAM, str(engines), str(threads)]
    if taskset is not None:
        command = ["taskset", "-c", taskset, *command]
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout.strip()


@two_cores
@pytest.mark.parametrize(
    ("engines", "threads", "settings", "said"),
    [
        (2, 1, {}, "2 "),
        (1, 2, {"OMP_WAIT_POLICY": "passive"}, "2 "),
        (1, 2, {"OMP_THREAD_LIMIT": "1"}, "refused: 2 threads were asked for, 1 ran (OMP_THREAD_L"),
        (1, 1, {"OMP_THREAD_LIMIT": "1"}, "1 1"),  # evaluation, too, would wait for ever on two
        (1, 2, {"OMP_DYNAMIC": "true"}, "refused: OMP_DYNAMIC"),
        (1, 2, {"OMP_PLACES": "{0}"}, "refused: 2 threads need 2 cores, and are bound to 1 (OMP_P"),
        (2, 1, {"GOMP_CPU_AFFINITY": "0"}, "bound to 1 (GOMP_CPU_AFFINITY=0): unset what binds"),
        (2, 1, {"OMP_PROC_BIND": "true"}, "bound to 1 (OMP_PROC_BIND=true)"),
    ],
)
def test_settings_of_openmp_that_take_threads_or_cores_away(engines, threads, settings, said):
    """Kind: what a cluster sets shrinks what an engine may use."""
    assert said in tried(engines, threads, **settings)


def test_one_core_is_shared_by_two_engines_and_the_row_says_so():
    assert tried(2, 1, taskset="0").startswith("1 ")
    assert "this process may use 1" in tried(1, 2, taskset="0")


@pytest.mark.parametrize("threads", [64, 100_000])
def test_more_threads_than_cores_are_refused(threads):
    if available_cores() < threads:
        with pytest.raises(UsageError, match=f"{threads} threads need {threads} cores"):
            require_cores(1, threads)


@pytest.mark.parametrize(
    ("allowed", "cores"),
    [
        ([{0, 1}, {0, 1}], 2),
        ([{0}, {0}], 1),
        ([{0}, {0, 1}], 2),
        ([{0, 1}, {0}, {1}], 2),
        ([{0, 1}, {1, 2}, {0}], 3),
        ([], 0),
    ],
)
def test_cores_are_given_out_so_that_most_threads_have_one(allowed, cores):
    assert cores_of_their_own(allowed) == cores


@two_cores
def test_every_thread_that_computes_is_seen():
    assert measure(2, 1).threads == measure(1, 2).threads == 2
    assert measure(1, 1).threads == 1
