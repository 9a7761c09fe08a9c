"""Runs the command line as a user does: in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.forked import run_forked

TINY = """
name = "tiny"
repeats = 2
[base]
dataset = "digits"
model = "digits-cnn"
train = 320
test = 60
epochs = 3
batch_size = 16
learning_rate = 0.02
block_steps = 4
[axes]
arm = [
    { schedule = "sequential" },
    { schedule = "sequential", threads = 2 },
    { schedule = "speculative", reuse = "outcomes" },
    { schedule = "pipelined" },
]
"""


@dataclass
class CommandLine:
    folder: object

    def start(self, *arguments, **environment):
        """Start the command and return its process, to be killed or stopped."""
        return subprocess.Popen(
            [sys.executable, "-m", "specbp", *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "100"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, **environment):
        """Run the command to its end and return its exit code, output and errors."""
        environment = os.environ | {"COLUMNS": "100"} | environment
        return run_forked(["specbp", *map(str, arguments)], self.folder, environment)

    def fails(self, *arguments, **environment):
        """Run what must fail, and return its exit code and its one line."""
        code, _, error = self(*arguments, **environment)
        assert code != 0
        (line,) = error.strip().splitlines()
        assert line.startswith("specbp: ")
        return code, line


@pytest.fixture
def specbp(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return "tiny.toml"
