"""The paper's own scheme, label key behind a gate: its time, and its time against the accept rate.

Each arm in turns with all others, in one process, on images of CIFAR-100 where they are there and
on random ones of their shape elsewhere; ratios of means to sequential training on one thread with
95% intervals, beside the bound of the arm's own plan. For an idle machine, ten minutes:

    pytest -s bench/test_method.py
"""

import os

import numpy as np
import pytest

from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.frames import table
from specbp.matrix.arm import passes_of
from specbp.plan.bound import costs_of_passes, mean_bound
from specbp.report.statistics import ratio_with_interval

ROUNDS = int(os.environ.get("SPECBP_BENCH_ROUNDS", "30"))
WARM_SAMPLES = 400
"""So many, that every label was there."""
SETTLING_STEPS = 250
"""So many, that a threshold has found its accept rate."""
RANDOM = "random:3x32x32/100"
ONE_THREAD = "sequential, 1 thread"
LABEL = {"schedule": "speculative", "reuse": "replay"}
ARMS = {
    ONE_THREAD: {},
    "sequential, 2 threads": {"threads": 2},
    "pipelined": {"schedule": "pipelined"},
    "pipelined, weight prediction": {"schedule": "pipelined", "weight_prediction": True},
    "label key, replay, all accepted": LABEL | {"gate_threshold": 1},
    "label key, outcomes, all accepted": LABEL | {"reuse": "outcomes", "gate_threshold": 1},
    "label key, replay, 0.75 accepted": LABEL | {"gate_target": 0.75},
    "label key, replay, 0.5 accepted": LABEL | {"gate_target": 0.5},
    "label key, replay, 0.25 accepted": LABEL | {"gate_target": 0.25},
    "label key, replay, none accepted": LABEL | {"gate_threshold": 0},
    "deferred, replay, 0.5 accepted": LABEL | {"schedule": "deferred", "gate_target": 0.5},
}


@pytest.fixture(scope="module")
def images():
    """The name and the samples of the data set."""
    try:
        return "cifar100", load("cifar100", train=2560, test=100)
    except UsageError:  # its files are not there
        return RANDOM, load(RANDOM, train=2560, test=100)


@pytest.mark.parametrize(
    ("batch_size", "steps", "most"), [(1, 40, 0.8), (8, 10, 0.66), (32, 4, 0.66)]
)
def test_time_against_the_accept_rate(images, batch_size, steps, most):
    name, data = images
    fields = {
        "dataset": name, "train": 2560, "test": 100, "model": "cifar-cnn", "epochs": 1000,
        "batch_size": batch_size, "learning_rate": 0.0005,
    }  # fmt: skip
    trainings = {arm: CpuTraining(experiment_from(fields | own), data) for arm, own in ARMS.items()}
    for arm, training in trainings.items():
        settling = SETTLING_STEPS if "gate_target" in ARMS[arm] else 20
        training.advance(max(settling, WARM_SAMPLES // batch_size))
    times = {arm: [] for arm in trainings}
    rows = {arm: [] for arm in trainings}
    draw = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for arm in draw.permutation(list(trainings)):
            done = trainings[arm].advance(steps)
            rows[arm] += done
            times[arm].append(sum(row["step_ms"] for row in done))
    alone = table("steps", [{"cell": "", **row} for row in rows[ONE_THREAD]])
    passes = passes_of(alone, np.mean)
    print(
        f"\n{name}, cifar-cnn, batch {batch_size}: F {passes.forward:.2f}, "
        f"I {passes.input_grad:.2f}, W {passes.weight_grad:.2f}, U {passes.update:.2f} ms"
    )
    ratios = {}
    for arm, training in trainings.items():
        ratios[arm] = ratio = ratio_with_interval([times[arm]], [times[ONE_THREAD]])
        accepts = [row["accepts"] for row in rows[arm]]
        rate = 1.0 if accepts[0] is None else sum(accepts) / (batch_size * len(accepts))
        print(f"{arm:36s} {ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]", end="")
        if "2 threads" not in arm:
            plans = training._plans
            costs = costs_of_passes(plans.hit.outline, passes)
            least = mean_bound(plans, costs, rate) / passes.sequential
            over = ratio.ratio / least - 1
            print(f", {rate:.0%} accepted, {over:+.1%} over its bound of {least:.3f}", end="")
        print()
        training.close()
    assert ratios["label key, replay, all accepted"].low <= most
    assert ratios["label key, replay, none accepted"].low <= 1
