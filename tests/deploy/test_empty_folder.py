"""From an empty folder to a report of the whole experiment, from one bitstream, as the docs say.

Sequential on one core, on two, and speculative: over SSH and over PYNQ.remote, on the simulation of
a Zynq-7000 and of a Zynq UltraScale+.
"""

import contextlib
import os
import re
import shlex

import pandas as pd
import pytest

from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.conftest import REPOSITORY
from tests.deploy.loopback import LoopbackBoard
from tests.forked import run_forked
from tests.remote.conftest import serving

ADDRESS = "xilinx@127.0.0.1:2222"
"""Of the board that they serve."""
MATRIX = "bench/matrices/board.toml"
PAGE = (REPOSITORY / "docs" / "overlay.md").read_text()
COMMANDS = [
    command
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    if ADDRESS in block
    for command in block.splitlines()
]


@contextlib.contextmanager
def over_ssh(board, folder):
    found = LoopbackBoard(folder, board=board)
    try:
        yield found.address, f"pynq://{found.address}", found.environment
    finally:
        found.close()


@contextlib.contextmanager
def over_remote(board, folder):
    with serving(board=board) as found:
        yield None, f"remote://{found.address}", {}


@pytest.mark.parametrize("board", ["simulated", "simulated-aup-zu3"])
@pytest.mark.parametrize("way", [over_ssh, over_remote])
def test_the_whole_experiment(tmp_path, way, board):
    # Compiling the simulation takes longer than programming a board may.
    build_model(Parameters(cores=2))
    folder = tmp_path / "empty"
    folder.mkdir()
    matrix = folder / MATRIX
    matrix.parent.mkdir(parents=True)
    with way(board, tmp_path) as (address, backend, environment):
        text = (REPOSITORY / MATRIX).read_text().replace(f"pynq://{ADDRESS}", backend)
        for long, short in (("train = 320", "train = 32"), ("epochs = 3", "epochs = 1")):
            text = text.replace(long, short)
        matrix.write_text(text)
        for command in COMMANDS:
            if ADDRESS in command and address is None:
                continue  # over PYNQ.remote nothing is deployed
            changed = command.replace(ADDRESS, str(address)).replace("simulated", board)
            done = run_forked(shlex.split(changed), folder, {**os.environ, **environment})
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
    named = "aup-zu3" if "aup" in board else "pynq-z2" if address else "simulated"
    assert all(named in one.lower() for one in runs["board"])
    report = (folder / "results/board/report/report.md").read_text()
    # A row for each of the three, counted by the board itself.
    assert report.partition("Clock cycles of a step")[2].count("its FPGA is simulated") == 3
