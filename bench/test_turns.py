"""What turns cost, what OMP_WAIT_POLICY does to them, and whether an arm is told apart from itself.

For an idle machine: half an hour, and an hour for all 40 comparisons of an arm with itself.

    pytest -s bench/test_turns.py
    SPECBP_BENCH_SAME=40 pytest -s bench/test_turns.py -k itself
"""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from specbp import load as load_frames
from specbp.backends.cpu.training import CpuTraining
from specbp.cores import available_cores
from specbp.datasets.loading import load
from specbp.experiment import experiment_from
from specbp.matrix.turns import turn_order
from specbp.report.statistics import ratio_with_interval

STARTS = int(os.environ.get("SPECBP_BENCH_STARTS", "5"))
SAME = int(os.environ.get("SPECBP_BENCH_SAME", "10"))
"""Comparisons of an arm with itself."""
MOST_TOLD_APART = 0.1
ROUNDS, STEPS = 30, 10
WORK = {
    "dataset": "random:3x32x32/100", "train": 2560, "test": 100, "model": "cifar-cnn",
    "learning_rate": 0.001, "batch_size": 8, "epochs": 1,
}  # fmt: skip
ARMS = {
    "sequential, 1 thread": {"schedule": "sequential"},
    "sequential, 2 threads": {"schedule": "sequential", "threads": 2},
    "pipelined": {"schedule": "pipelined"},
}
BLOCKS = (5, 20, 50)
POLICIES = {"not set": {}, "passive": {"OMP_WAIT_POLICY": "passive"}}
needs_two_cores = pytest.mark.skipif(available_cores() < 2, reason="two engines need two cores")


def busy(seconds=3600.0):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass


def bench(folder, arms, block_steps, environment):
    """Return the steps of arms trained in turns, by arm, in so many processes."""
    names = ", ".join(json.dumps(arm) for arm in arms)
    base = "\n".join(f"{name} = {json.dumps(value)}" for name, value in WORK.items())
    tables = ", ".join(
        "{ "
        + ", ".join(f"{name} = {json.dumps(value)}" for name, value in ARMS[arm].items())
        + " }"
        for arm in arms
    )
    folder.mkdir()
    (folder / "m.toml").write_text(
        f'name = "turns"\n[base]\n{base}\nblock_steps = {block_steps}\n[axes]\narm = [{tables}]\n'
    )
    words = ["bench", "m.toml", "--results", "out", "--starts", str(STARTS)]
    done = subprocess.run(
        [sys.executable, "-m", "specbp", *words],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{names}: {done.stderr}"
    frames = load_frames(folder / "out")
    cells = frames.runs.set_index("cell")["arm"]
    return dict(iter(frames.steps.groupby(frames.steps["cell"].map(cells))))


@needs_two_cores
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("contended", [False, True], ids=["quiet", "contended"])
def test_what_waiting_threads_cost(tmp_path, policy, contended):
    """The choice of OMP_WAIT_POLICY: means against medians of two threads, quiet and contended."""
    other = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
    if contended:
        other.start()
    try:
        steps = bench(tmp_path / "turns", ARMS, 20, POLICIES[policy])
    finally:
        if contended:
            other.kill()
    for arm, rows in steps.items():
        times = rows["step_ms"]
        print(
            f"\nOMP_WAIT_POLICY {policy}, {'contended' if contended else 'quiet'}, {arm}: mean "
            f"{times.mean():.3f} ms, median {times.median():.3f} ms, 95% {times.quantile(0.95):.3f}"
        )
        assert len(times) == STARTS * WORK["train"] // WORK["batch_size"]


@needs_two_cores
def test_what_turns_cost(tmp_path):
    """The choice of the block: the mean step of each arm in turns over that of the arm alone."""
    alone = {
        arm: bench(tmp_path / f"alone {arm[:12]} {len(arm)}", [arm], 50, {})[arm] for arm in ARMS
    }
    for block in BLOCKS:
        in_turns = bench(tmp_path / f"block {block}", ARMS, block, {})
        for arm, rows in in_turns.items():
            by_start = [
                ours["step_ms"].mean() / theirs["step_ms"].mean()
                for (_, ours), (_, theirs) in zip(
                    rows.groupby("cell"), alone[arm].groupby("cell"), strict=True
                )
            ]
            print(f"\nblocks of {block}: {arm} takes {np.mean(by_start):.3f} of alone: {by_start}")
            assert len(by_start) == STARTS


def same_arm_twice(fields, sender):
    """Train the same experiment twice in turns, in a process of its own; send both times."""
    data = load(WORK["dataset"], train=WORK["train"], test=WORK["test"])
    both = [CpuTraining(experiment_from(WORK | {"epochs": 99} | fields), data) for _ in range(2)]
    times = [[], []]
    for training in both:
        training.advance(STEPS)
    for number in range(ROUNDS):
        for which in turn_order(2, "same", number):
            rows = both[which].advance(STEPS)
            times[which].append(sum(row["step_ms"] for row in rows))
    sender.send(times)


@needs_two_cores
def test_an_arm_is_rarely_told_apart_from_itself():
    """False alarms: of comparisons that should find nothing at most one in ten may find something.

    One in twenty is what a 95% interval claims; 4 of 40 happen by chance in one trial of ten.
    """
    context, told_apart = multiprocessing.get_context("spawn"), []
    for number in range(SAME):
        arm = list(ARMS)[number % len(ARMS)]
        starts = []
        for _ in range(STARTS):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=same_arm_twice, args=(ARMS[arm], sender))
            process.start()
            starts.append(receiver.recv())
            process.join()
        found = ratio_with_interval(*zip(*starts, strict=True))
        told_apart.append(not found.low <= 1 <= found.high)
        print(f"\n{arm} over itself: {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]")
    print(f"\n{sum(told_apart)} of {SAME} told apart")
    assert sum(told_apart) <= max(1, MOST_TOLD_APART * SAME)
