"""Comparisons in processes of their own give what they give in this one, and end with who asked."""

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from specbp.errors import SpecbpError, UsageError
from specbp.matrix.expand import expand, in_starts, matrix_from
from specbp.matrix.run import run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.starts import run_in_processes
from specbp.matrix.store import Store
from tests.matrix.scripted import MATRIX, ScriptedTraining, Silent, differ, frames


def cells_of(starts, schedules=("sequential", "pipelined")):
    arms = [{"schedule": schedule} for schedule in schedules]
    described = {**MATRIX, "axes": {"arm": arms}}
    return in_starts(expand(matrix_from(described, "scripted", "scripted.toml"), ""), starts)


def opener():
    return ScriptedTraining


def killer(folder):
    """Opens trainings that are killed at their fourth step, the first time; leaves their pid."""

    class Killed(ScriptedTraining):
        def _one_step(self):
            if self.step == 3 and not (folder / "killed").exists():
                (folder / "killed").write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return super()._one_step()

    return Killed


def refuser():
    def refuse(experiment):
        raise UsageError("refused on purpose")

    return refuse


def sleeper(folder):
    """Opens trainings that say which process they are in and then never end."""

    class Sleeping(ScriptedTraining):
        def advance(self, steps):
            (folder / "pid").write_text(str(os.getpid()))
            time.sleep(600)

    return Sleeping


def trained(folder, cells, opener=opener, **options):
    store = Store.create(folder)
    with store.locked():
        run_in_processes(cells, store, opener, Silent(), 0, **options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The frames of two starts, one after the other in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    store = Store.create(folder)
    with store.locked():
        run_cells(cells_of(2), store, ScriptedTraining, Silent(), 0)
    return frames(folder)


def test_every_start_has_its_process_and_the_same_results(tmp_path, undisturbed):
    """With one that fails: a row of its own, as ever."""
    cells = cells_of(2, ("sequential", "pipelined", "selective"))
    trained(tmp_path, cells)
    runs = Store.open(tmp_path).load().runs
    assert set(runs["cell"]) == {cell.hash for cell in cells}
    assert sorted(runs["start"]) == [0, 0, 0, 1, 1, 1]
    assert runs["process"].nunique() == runs["session"].nunique() == 2
    assert (runs.groupby("process")["start"].nunique() == 1).all()
    assert (
        runs[runs["status"] == "failed"]["arm"].str.startswith("selective").tolist() == [True] * 2
    )
    done = runs[runs["status"] == "ok"]
    assert (done.groupby("arm")["final_weights_sha256"].nunique() == 1).all()
    assert (done.groupby("arm").size() == 2).all()


def test_a_process_that_is_killed_is_said_and_the_same_command_goes_on(tmp_path, undisturbed):
    """Kind: a crash of the process that trains, such as for want of memory."""
    results = tmp_path / "results"
    with pytest.raises(SpecbpError, match="start 0 ended by signal 9: run the same command again"):
        trained(results, cells_of(2), partial(killer, tmp_path))
    left = [*results.glob("unfinished/*/state.pt")]
    assert len(left) == 1
    trained(results, cells_of(2), partial(killer, tmp_path))
    assert differ(frames(results), undisturbed) == []


def test_asked_to_stop_it_leaves_a_checkpoint_and_goes_on(tmp_path, undisturbed):
    """Asked at once: the process learns of it before it has done anything, and does one round."""
    with pytest.raises(Stopped):
        trained(tmp_path, cells_of(2), stop=lambda: True)
    assert len([*tmp_path.glob("unfinished/*/state.pt")]) == 1
    assert not [*tmp_path.glob("cells/*")]
    trained(tmp_path, cells_of(2))
    assert differ(frames(tmp_path), undisturbed) == []


def test_what_a_process_refuses_is_raised_as_it_was(tmp_path):
    with pytest.raises(UsageError, match=r"^refused on purpose$") as raised:
        trained(tmp_path, cells_of(1), refuser)
    assert "in refuse" in str(raised.value.__cause__), "the traceback of the process that trained"


def test_it_ends_with_who_asked(tmp_path):
    """Kind: a process that goes on writing to results of which another may have the lock."""
    asking = multiprocessing.get_context("spawn").Process(
        target=trained, args=(tmp_path / "results", cells_of(1), partial(sleeper, tmp_path))
    )
    asking.start()
    training = int(_appeared(tmp_path / "pid").read_text())
    assert training != asking.pid
    asking.kill()
    asking.join()
    deadline = time.monotonic() + 30
    while psutil.pid_exists(training) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(training)


def test_starts_are_cells_of_their_own_and_the_first_is_the_one_it_always_was():
    """Kind: results that are lost or mixed. Those of before starts were counted stay."""
    first, second = (cells_of(2)[number] for number in (0, 2))
    assert first.experiment == second.experiment
    assert first.hash == cells_of(1)[0].hash
    assert len({first.hash, second.hash}) == len({first.workload, second.workload}) == 2


def _appeared(path: Path) -> Path:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return path
