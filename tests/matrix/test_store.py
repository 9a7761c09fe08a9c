import json
import random

import pytest

import specbp
from specbp import durable
from specbp.errors import UsageError
from specbp.frames import FORMAT, table
from specbp.matrix.store import FinishedCell, Store, parquet
from tests.disk import CUTS, Disk, Model, put


def run_row(cell, status="ok"):
    return {"cell": cell, "arm": "sequential", "seed": 0, "status": status}


def write(store, cell, **row):
    steps = table("steps", [{"cell": cell, "step": number} for number in range(3)])
    store.write("w", [FinishedCell(run_row(cell) | row, [{"cell": cell, "epoch": 1}], steps)])


def test_what_was_written_is_loaded(tmp_path):
    store = Store.create(tmp_path / "results")
    write(store, "aa")
    write(store, "bb", status="failed", reason="broken")
    frames = specbp.load(tmp_path / "results")
    assert frames.runs["cell"].tolist() == ["aa", "bb"]
    assert len(frames.epochs) == 2
    assert len(frames.steps) == 6
    assert store.statuses() == {"aa": "ok", "bb": "failed"}


def test_an_empty_folder_gives_frames_without_rows(tmp_path):
    Store.create(tmp_path)
    frames = specbp.load(tmp_path)
    assert len(frames.runs) == len(frames.epochs) == len(frames.steps) == 0
    assert "test_accuracy" in frames.runs.columns


def test_writing_a_cell_again_replaces_it(tmp_path):
    store = Store.create(tmp_path)
    write(store, "aa", status="failed")
    write(store, "aa")
    assert store.statuses() == {"aa": "ok"}


@pytest.mark.parametrize("cut", ["kept", *CUTS])
def test_a_cell_that_is_replaced_is_the_old_one_or_the_new_one_at_any_moment(
    tmp_path, monkeypatch, cut
):
    """Kind: a cell that is written in place, of which a stop leaves a mix."""
    root, disk = tmp_path / "root", Disk(fsync=False)
    root.mkdir()
    monkeypatch.setattr(durable, "os", disk)
    store = Store.create(root / "results")
    write(store, "aa", status="failed", reason="broken")
    there = len(disk.log)
    write(store, "aa", reason="mended")
    monkeypatch.undo()
    seen = []
    for moment in range(there, len(disk.log) + 1):
        model = Model(root)
        for change in disk.log[:moment]:
            model.apply(change)
        put(model.left(cut, random.Random(moment)), tmp_path / str(moment))
        left = Store.create(tmp_path / str(moment) / "results")
        left.load()  # as a report does, which writes nothing
        with left.locked():
            seen.append(left.statuses())
        assert seen[-1] in ({"aa": "failed"}, {"aa": "ok"})
    assert seen[0] == {"aa": "failed"} and seen[-1] == {"aa": "ok"}


def test_a_cell_that_was_being_written_when_the_process_died_is_not_there(tmp_path):
    store = Store.create(tmp_path)
    write(store, "aa")
    (tmp_path / "cells" / ".bb-123").mkdir()
    assert store.statuses() == {"aa": "ok"}
    assert len(store.load().runs) == 1


def test_a_failed_cell_keeps_its_traceback(tmp_path):
    store = Store.create(tmp_path)
    store.write("w", [FinishedCell(run_row("aa", "failed"), traceback="Traceback: it broke")])
    assert (tmp_path / "cells" / "aa" / "traceback.txt").read_text() == "Traceback: it broke"


def test_another_version_is_refused_for_reading_and_for_writing(tmp_path):
    Store.create(tmp_path)
    (tmp_path / "format.json").write_text(json.dumps({"format": FORMAT + 1}))
    for use in (Store.create, Store.open):
        with pytest.raises(UsageError, match=f"written in results format {FORMAT + 1}"):
            use(tmp_path)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="not a results folder"):
        Store.create(tmp_path)


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="no such results folder"):
        specbp.load(tmp_path / "nowhere")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot write results there"):
        Store.create(tmp_path / "file" / "results")


def test_a_truncated_frame_is_named_with_what_to_do(tmp_path):
    store = Store.create(tmp_path)
    write(store, "aa")
    steps = tmp_path / "cells" / "aa" / "steps.parquet"
    steps.write_bytes(steps.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"delete the folder .*aa and run the matrix again"):
        specbp.load(tmp_path)


def test_two_processes_do_not_write_at_once(tmp_path):
    store, other = Store.create(tmp_path), Store.create(tmp_path)
    with (
        store.locked(),
        pytest.raises(UsageError, match="another specbp is writing"),
        other.locked(),
    ):
        pass


def test_frames_written_before_a_column_was_added_can_be_read(tmp_path):
    """Kind: results that an update makes useless. What they do not have is null."""
    frames = {name: table(name, []) for name in ("epochs", "steps")}
    run = table("runs", [{"cell": "a", "status": "ok", "seed": 0}])
    frames["runs"] = run.drop_columns(["start", "process", "omp_wait_policy"])
    store = Store.create(tmp_path)
    files = {f"{name}.parquet": parquet(frame) for name, frame in frames.items()}
    durable.write_folder(tmp_path / "cells" / "a", files)
    (row,) = store.stored().runs.values()
    assert (row["cell"], row["start"], row["process"]) == ("a", None, None)
    assert specbp.load(tmp_path).runs["seed"].tolist() == [0]
