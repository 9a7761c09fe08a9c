"""From an empty folder to a report of the whole experiment, from one bitstream, by commands alone.

Sequential on one core, on two, and speculative: over SSH and over PYNQ.remote, on the simulation of
a Zynq-7000 and of a Zynq UltraScale+.
"""

import contextlib
import os
import shlex

import pandas as pd
import pytest

from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.deploy.loopback import LoopbackBoard
from tests.forked import run_forked
from tests.remote.conftest import serving

MATRIX = """
name = "board"

[base]
dataset = "digits"
train = 32
test = 16
batch_size = 8
epochs = 1
backend = "{backend}"

[axes]
arm = [
    {{ schedule = "sequential" }},
    {{ schedule = "sequential", engines = 2 }},
    {{ schedule = "speculative", reuse = "replay" }},
]
"""


@contextlib.contextmanager
def over_ssh(board, folder):
    found = LoopbackBoard(folder, board=board)
    try:
        yield f"pynq://{found.address}", found.environment, [f"board deploy {found.address}"]
    finally:
        found.close()


@contextlib.contextmanager
def over_remote(board, folder):
    with serving(board=board) as found:
        yield f"remote://{found.address}", {}, []


@pytest.mark.parametrize("board", ["simulated", "simulated-aup-zu3"])
@pytest.mark.parametrize("way", [over_ssh, over_remote])
def test_the_whole_experiment(tmp_path, way, board):
    # Compiling the simulation takes longer than programming a board may.
    build_model(Parameters(cores=2))
    folder = tmp_path / "empty"
    folder.mkdir()
    with way(board, tmp_path) as (backend, environment, deploying):
        (tmp_path / "matrix.toml").write_text(MATRIX.format(backend=backend))
        for command in (
            f"overlay build --board {board} --lanes 16 --cores 2",
            *deploying,
            f"bench {tmp_path}/matrix.toml",
            "report results/board",
        ):
            words = ["specbp", *shlex.split(command)]
            done = run_forked(words, folder, {**os.environ, **environment})
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    runs = pd.concat(
        pd.read_parquet(path) for path in (folder / "results/board/cells").glob("*/runs.parquet")
    ).set_index("arm")
    assert list(runs["status"]) == ["ok"] * 3 and runs["simulated"].all()
    assert set(runs["programmed"]) == {Parameters(cores=2).described}
    cycles = runs["cycles"].sort_values()
    assert "sequential" in cycles.index[-1] and len(set(cycles)) == 3
    assert cycles.iloc[:2].max() < 0.9 * cycles.iloc[-1]
    clock = 100 if board == "simulated" else 99.999
    assert runs["clock_mhz"].to_list() == pytest.approx([clock] * 3)
    named = "aup-zu3" if "aup" in board else "pynq-z2" if deploying else "simulated"
    assert all(named in one.lower() for one in runs["board"])
    report = (folder / "results/board/report/report.md").read_text()
    # A row for each of the three, counted by the board itself.
    assert report.partition("Clock cycles of a step")[2].count("its FPGA is simulated") == 3
