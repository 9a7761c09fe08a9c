"""A matrix of trainings whose rows follow from experiment and step alone, times included.

So two runs of it are equal in every column, wherever they were stopped.
"""

import hashlib
import os

import pandas as pd
import torch

from specbp import durable
from specbp.frames import STEPS
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.run import check_cells, run_cells
from specbp.matrix.store import Store, load
from specbp.matrix.survey import survey
from tests.disk import Disk

MATRIX = {
    "name": "scripted",
    "base": {"train": 24, "test": 10, "epochs": 2, "batch_size": 8, "block_steps": 3},
    "axes": {
        "arm": [
            {"schedule": "sequential"},
            {"schedule": "pipelined"},
            {"schedule": "selective"},  # fails
        ]
    },
}
REPEATS = int(os.environ.get("SPECBP_TEST_REPEATS", "1"))
"""Comparisons of the matrix: with two, one can be stored and the other not."""
SESSION = ("session", "started")
"""Columns that say when and with whom, drawn anew by every run."""


class ScriptedTraining:
    """A training that computes nothing; the schedule `selective` fails at its fifth step."""

    initial_weights_sha256 = sample_order_sha256 = dataset_sha256 = "same"
    steps_per_epoch = 3

    def __init__(self, experiment):
        self.about = {"simulated": False, "board": None}
        self._experiment = experiment
        self._seed = experiment.arm
        self._weights = torch.zeros(4)
        self.step = 0

    def advance(self, steps):
        return [self._one_step() for _ in range(steps)]

    def test_accuracy(self):
        return _number(self._seed, self.step)

    def weights_sha256(self):
        return hashlib.sha256(self._weights.numpy().tobytes()).hexdigest()

    def state(self):
        return {"step": self.step, "weights": self._weights}

    def restore(self, state):
        self.step = state["step"]
        self._weights.copy_(state["weights"])

    def close(self):
        pass

    def _one_step(self):
        if self._experiment.schedule == "selective" and self.step == 4:
            raise ValueError("broke on purpose")
        speculative = self._experiment.schedule == "speculative"
        row = {
            column.name: column.kind(1 + 100 * _number(self._seed, self.step, column.name))
            for column in STEPS
            if column.name not in ("cell", "round", "cycles", "clock_mhz")
        }
        row |= {"epoch": self.step // 3 + 1, "step": self.step, "correct": 1}
        row |= {"accepts": 5, "rejects": 3} if speculative else {"accepts": None, "rejects": None}
        self._weights += row["loss"]
        self.step += 1
        return row


class Silent:
    """Listens to a matrix and counts the steps that were done."""

    def __init__(self):
        self.steps = 0

    def began(self, cells, steps, steps_done):
        pass

    def advanced(self, cell, steps):
        self.steps += steps

    def finished(self, cell, run):
        pass


def run(folder, disk=None, matrix=None, open_training=ScriptedTraining):
    """Run the matrix, or another, as `specbp bench` does; return the number of steps done."""
    before, durable.os = durable.os, disk or Disk(fsync=False)
    try:
        given = matrix or {**MATRIX, "repeats": REPEATS}
        cells = expand(matrix_from(given, "scripted", "scripted.toml"), "scripted.toml")
        store, listener = Store.create(folder), Silent()
        with store.locked():
            to_do = survey(cells, store, matrix=cells).to_do
            if to_do:
                check_cells(to_do, store, open_training)
                run_cells(to_do, store, open_training, listener, checkpoint_seconds=0)
    finally:
        durable.os = before
    return listener.steps


def run_until(folder, change, fsync=False):
    """Run the matrix until a change of a file, at which the process ends; to its end if None."""
    run(folder, Disk(stop_at=change, fsync=fsync))


def frames(folder):
    """Return all columns of all frames, sessions numbered in the order in which cells have them.

    An installed package looks for its commit from the folder a process is in, and the processes of
    these tests are not all in the same one; the hash of the sources is the same in all of them.
    """
    loaded = load(folder)
    runs = loaded.runs.sort_values("cell").assign(
        started="", process="", git_commit="", git_dirty=False, peak_memory_mib=0.0
    )
    runs["session"] = pd.factorize(runs["session"])[0]
    order = ["cell", "epoch", "step"]
    others = (
        one.sort_values([name for name in order if name in one]).reset_index(drop=True)
        for one in (loaded.epochs, loaded.steps)
    )
    return [runs.reset_index(drop=True), *others]


def differ(ours, theirs):
    """Return the columns in which two results of `frames` differ."""
    assert [len(one) for one in ours] == [len(one) for one in theirs]
    return [
        name
        for one, other in zip(ours, theirs, strict=True)
        for name in one
        if not one[name].equals(other[name])
    ]


def _number(*seed):
    digest = hashlib.sha256(repr(seed).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
