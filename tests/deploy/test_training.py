"""Matrices on a board on loopback, against the simulation in this process."""

import subprocess
import threading
import time

import pynq
import pytest

from specbp.bitstream.making import make_simulated
from specbp.deploy import pool
from specbp.deploy.address import parse_address
from specbp.deploy.connection import Deadlines
from specbp.experiment import experiment_from
from specbp.frames import repeatable_columns
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.run import backend_opener, run_cells
from specbp.matrix.store import Store
from specbp.overlay.parameters import Parameters
from specbp.report.compare import summarise
from specbp.simulation.build import build as build_model
from tests.deploy.conftest import deployed
from tests.deploy.loopback import LOGIN, SUDO

BASE = {"dataset": "digits", "train": 48, "test": 20, "epochs": 1, "batch_size": 8}


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture(autouse=True)
def given_back():
    yield
    pool.close_boards()


@pytest.fixture(scope="module")
def small():
    from specbp.datasets.loading import load

    return load("digits", train=48, test=20)


def run_matrix(path, backends, dataset, repeats=1, **method):
    base = {**BASE, **method}
    given = {"name": "boards", "repeats": repeats, "base": base, "axes": {"backend": backends}}
    cells = expand(matrix_from(given, "boards", "boards.toml"), "boards.toml")
    store = Store.create(path)
    run_cells(cells, store, backend_opener(lambda _: dataset), Silent())
    return store.load()


def same_runs(frames, backends):
    """Return the runs on the second of two backends, which are those on the first."""
    runs = frames.runs
    assert set(runs["status"]) == {"ok"}, list(runs["reason"])
    sides = [runs[runs["backend"] == one].sort_values("seed") for one in backends]
    ours, theirs = (side.reset_index(drop=True) for side in sides)
    for name in set(repeatable_columns("runs")) - {"cell", "backend", "arm"}:
        assert ours[name].equals(theirs[name]), name
    for one, other in zip(ours["cell"], theirs["cell"], strict=True):
        steps = [frames.steps[frames.steps["cell"] == cell] for cell in (one, other)]
        for name in ("loss", "correct", "accepts", "rejects", "cycles", "clock_mhz"):
            ours_, theirs_ = (side[name].reset_index(drop=True) for side in steps)
            assert ours_.equals(theirs_), name
    return theirs


def as_predicted(frames):
    """The report has cycles predicted, simulated and measured; they agree."""
    (row,) = summarise(frames).cycles
    assert row.simulated == row.measured
    assert abs(row.ratio - 1) < 0.02, row


def test_two_cells_on_a_board_are_those_of_the_simulation(board, small, tmp_path):
    backends = ["sim:model", "sim:rtl", f"pynq://{board.address}"]
    frames = run_matrix(tmp_path / "results", backends, small, repeats=2)
    theirs = same_runs(frames, backends[1:])
    assert len(theirs) == 2
    as_predicted(frames)
    # The board says itself that its FPGA is simulated here.
    assert list(theirs["board"].unique()) == [f"Pynq-Z2, simulated, pynq {pynq.__version__}"]
    secrets = (LOGIN, SUDO)
    assert not any(secret in command for secret in secrets for command in board.commands)
    files = (path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert not any(secret.encode() in content for content in files for secret in secrets)


def test_two_cores_speculate_on_a_board(bare_board, small, tmp_path):
    """The gate's decisions, too, are those of the simulation; the self-test has taken some."""
    parameters = Parameters(cores=2)
    # Compiling the simulation takes longer than programming a board may.
    build_model(parameters)
    build = make_simulated(tmp_path / "build", parameters).folder
    assert deployed(bare_board, build).switched
    backends = ["sim:model", "sim:rtl", f"pynq://{bare_board.address}"]
    method = {"schedule": "speculative", "reuse": "replay", "gate_threshold": 0.1}
    frames = run_matrix(tmp_path / "results", backends, small, **method)
    (run,) = same_runs(frames, backends[1:]).to_dict("records")
    as_predicted(frames)
    steps = frames.steps[frames.steps["cell"] == run["cell"]]
    assert steps["accepts"].sum() and steps["rejects"].sum()
    # The same bitstream runs what one core runs: against that the saving is measured.
    alone = run_matrix(tmp_path / "alone", backends[1:], small)
    (one_core,) = same_runs(alone, backends[1:]).to_dict("records")
    assert one_core["programmed"] == run["programmed"] == parameters.described


def training(board, small):
    experiment = experiment_from({**BASE, "backend": f"pynq://{board.address}"}, "here")
    return backend_opener(lambda _: small)(experiment)


def test_the_connection_is_cut_during_a_run(board, small):
    one = training(board, small)
    one.advance(1)
    board.fail(hang_at=1)
    threading.Timer(0.5, board.cut).start()
    started = time.monotonic()
    with pytest.raises(pool.BoardError, match="the connection was lost while running a program"):
        for _ in range(1000):
            one.advance(6)
    assert time.monotonic() - started < 30
    # The board is free again for who comes next.
    board.heal()
    assert training(board, small).advance(1)


def test_a_board_that_stops_in_the_middle_of_a_batch(board, small, monkeypatch):
    monkeypatch.setattr("specbp.deploy.executor.deadline_s", lambda _: 1.0)
    monkeypatch.setattr(pool, "Deadlines", lambda: Deadlines(margin=1.0))
    board.fail(hang_at=3, stop=True)
    one = training(board, small)
    with pytest.raises(pool.BoardError, match=r"no answer within 2 s while running.*restart"):
        one.advance(6)


def test_an_overlay_that_does_not_answer(board, small, monkeypatch):
    monkeypatch.setattr("specbp.deploy.executor.deadline_s", lambda _: 1.0)
    monkeypatch.setattr("specbp.deploy.executor.DEFAULT_WATCHDOG", 100_000)
    board.fail(no_answer=True)
    with pytest.raises(pool.BoardError, match=r"(?s)waits for memory.*STATUS"):
        training(board, small).advance(1)


def test_a_board_in_use_says_by_whom(board, small, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_FOR_BOARD_S", 0.5)
    state = board.home / "run"
    state.mkdir(exist_ok=True)
    lock = state / "lock"
    lock.write_text("someone@elsewhere, process 7")
    holder = subprocess.Popen(["flock", "-x", str(lock), "sleep", "60"], start_new_session=True)
    try:
        time.sleep(0.3)
        with pytest.raises(pool.BoardError, match="in use by someone@elsewhere, process 7"):
            training(board, small)
    finally:
        import os

        os.killpg(holder.pid, 9)
        holder.wait()


def test_nothing_is_deployed(bare_board, small):
    with pytest.raises(pool.BoardError, match=r"nothing is deployed.*specbp board deploy"):
        training(bare_board, small)


def test_an_overlay_with_other_parameters(board, small):
    from specbp.errors import UsageError

    fields = {**BASE, "backend": f"pynq://{board.address}", "lanes": 32}
    with pytest.raises(UsageError, match=r"lanes = 16, this needs 32: .* --lanes 32"):
        backend_opener(lambda _: small)(experiment_from(fields, "here"))


@pytest.mark.parametrize("text", ["pynq://xilinx:secret@board", "pynq://a b", "pynq://x:99999"])
def test_addresses_that_are_none(text):
    from specbp.errors import UsageError

    with pytest.raises(UsageError) as found:
        experiment_from({**BASE, "backend": text}, "here")
    assert "secret" not in str(found.value).replace("SPECBP", "")


def test_an_address():
    found = parse_address("pynq://[fe80::1]:2222")
    assert (found.user, found.host, found.port) == (None, "fe80::1", 2222)
