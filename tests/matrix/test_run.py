"""Whole matrices, in process: turns, failures, checkpoints."""

import numpy as np
import pytest

from specbp.backends.cpu.training import CpuTraining
from specbp.errors import NothingMeasuredError, UsageError
from specbp.frames import repeatable_columns
from specbp.matrix.run import backend_opener, run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.store import Store
from specbp.matrix.survey import forget, missing


@pytest.fixture
def opener():
    from specbp.datasets.loading import load

    dataset = load("digits", train=160, test=50)
    return backend_opener(lambda experiment: dataset)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "results")


def repeatable(frames):
    """The frames without times, sorted, as plain values."""
    return {
        name: getattr(frames, name)[repeatable_columns(name)]
        .sort_values(["cell"] + [c for c in ("epoch", "step") if c in getattr(frames, name)])
        .to_csv(index=False)
        for name in ("runs", "epochs", "steps")
    }


def test_every_cell_is_trained_to_its_end(tiny, store, opener, memory):
    run_cells(tiny, store, opener, memory)
    frames = store.load()
    assert frames.runs["status"].tolist() == ["ok"] * 6
    assert (frames.runs["steps"] == 20).all()
    assert len(frames.steps) == 6 * 20
    assert len(frames.epochs) == 6 * 2
    assert memory.sessions == [(3, 60, 0), (3, 60, 0)]
    assert missing(tiny, store, retry_failed=True) == []
    assert not list(store.unfinished.glob("*/*"))


def test_arms_take_turns_block_by_block(tiny, store, opener, memory):
    run_cells(tiny[:1] + tiny[2:3] + tiny[4:5], store, opener, memory)
    arms = {arm for arm, _ in memory.turns}
    assert len(arms) == 3
    for first in range(0, len(memory.turns), 3):
        block = memory.turns[first : first + 3]
        assert {arm for arm, _ in block} == arms
        assert len({steps for _, steps in block}) == 1
    orders = {tuple(arm for arm, _ in memory.turns[i : i + 3]) for i in range(0, 18, 3)}
    assert len(orders) > 1, "no arm may always go first"


def test_the_bound_comes_from_the_sequential_arm_in_the_session(tiny, store, opener, memory):
    run_cells(tiny, store, opener, memory)
    runs = store.load().runs.set_index("arm")
    assert list(runs.loc["sequential, 1 thread", "bound"]) == pytest.approx([1, 1])
    assert (runs.loc["pipelined", "bound"] < 1).all()


def test_what_a_step_takes_over_its_bound_is_split_without_a_remainder(tiny, store, opener, memory):
    run_cells(tiny, store, opener, memory)
    frames = store.load()
    accounts = [name for name in frames.runs if name.startswith("over_")]
    mean_ms = frames.steps.groupby("cell")["step_ms"].mean()
    runs = frames.runs.set_index("cell")
    assert len(accounts) == 7
    assert np.allclose(runs["bound_ms"] + runs[accounts].sum(axis=1), mean_ms[runs.index])


def test_a_failed_cell_is_a_row_and_the_rest_go_on(tiny, store, opener, memory):
    def open_training(experiment):
        training = opener(experiment)
        if experiment.arm == "pipelined":
            advance = training.advance

            def fail_late(steps):
                if training.step > 8:
                    raise ValueError("broke on purpose\nsecond line")
                return advance(steps)

            training.advance = fail_late
        return training

    run_cells(tiny, store, open_training, memory)
    runs = store.load().runs
    assert sorted(runs["status"]) == ["failed"] * 2 + ["ok"] * 4
    failed = runs[runs["status"] == "failed"]
    assert set(failed["arm"]) == {"pipelined"}
    assert set(failed["reason"]) == {"ValueError: broke on purpose"}
    traceback = store.path / "cells" / failed["cell"].iloc[0] / "traceback.txt"
    assert "second line" in traceback.read_text()
    assert len(missing(tiny, store, retry_failed=False)) == 0
    assert len(missing(tiny, store, retry_failed=True)) == 2


@pytest.mark.parametrize("rounds_before", [1, 3, 8])
def test_a_stopped_matrix_goes_on_and_gives_the_same_frames(
    tiny, store, opener, memory, tmp_path, rounds_before
):
    """A workload has 6 rounds here: the stops are in and between epochs, and in the second one."""
    undisturbed = Store.create(tmp_path / "undisturbed")
    run_cells(tiny, undisturbed, opener, memory)
    asked = iter(range(1, 1000))
    with pytest.raises(Stopped):
        run_cells(tiny, store, opener, memory, 0, stop=lambda: next(asked) == rounds_before)
    before = len(memory.sessions)
    run_cells(missing(tiny, store, retry_failed=False), store, opener, memory)
    assert memory.sessions[before][2] > 0, "the session goes on from its checkpoint"
    assert repeatable(store.load()) == repeatable(undisturbed.load())


def test_cells_with_equal_work_refuse_unequal_starts(tiny, store, opener, memory):
    def open_training(experiment):
        training = opener(experiment)
        if experiment.arm == "pipelined":
            training.initial_weights_sha256 = "other"
        return training

    with pytest.raises(UsageError, match="differ in initial_weights_sha256"):
        run_cells(tiny, store, open_training, memory)


def test_half_trained_cells_are_not_left_behind_by_a_filter(tiny, store, opener, memory):
    with pytest.raises(Stopped):
        run_cells(tiny, store, opener, memory, stop=lambda: True)
    with pytest.raises(UsageError, match="half-trained"):
        run_cells(tiny[:1], store, opener, memory)
    forget(tiny, store)
    run_cells(tiny[:1], store, opener, memory)
    assert len(store.statuses()) == 1


def test_no_cells_are_an_error(store, opener, memory):
    with pytest.raises(NothingMeasuredError):
        run_cells([], store, opener, memory)


def test_warming_up_leaves_no_trace(tiny, store, opener, memory, digits):
    run_cells(tiny[:1], store, opener, memory)
    training = opener(tiny[0].experiment)
    assert isinstance(training, CpuTraining)
    training.advance(20)
    assert store.load().runs["final_weights_sha256"].tolist() == [training.weights_sha256()]
