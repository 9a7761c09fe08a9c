"""A matrix small enough to train in a second, and a listener that remembers what it hears."""

import pytest

from specbp.matrix.expand import expand, matrix_from

TINY = {
    "name": "tiny",
    "repeats": 2,
    "base": {
        "dataset": "digits",
        "model": "digits-cnn",
        "train": 160,
        "test": 50,
        "epochs": 2,
        "batch_size": 16,
        "block_steps": 4,
    },
    "axes": {
        "arm": [
            {"schedule": "sequential"},
            {"schedule": "speculative", "reuse": "replay"},
            {"schedule": "pipelined"},
        ]
    },
}


class Memory:
    """A listener that keeps what it heard."""

    def __init__(self):
        self.sessions, self.turns, self.runs = [], [], []

    def began(self, cells, steps, steps_done):
        self.sessions.append((len(cells), steps, steps_done))

    def advanced(self, cell, steps):
        self.turns.append((cell.experiment.arm, steps))

    def finished(self, cell, run):
        self.runs.append(run)


@pytest.fixture
def tiny():
    return expand(matrix_from(TINY, "tiny", "tiny.toml"), "tiny.toml")


@pytest.fixture
def memory():
    return Memory()
