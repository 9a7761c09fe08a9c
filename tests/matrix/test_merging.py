"""Results folders put together hold every cell once, and nothing that contradicts itself."""

import pytest

from specbp import durable
from specbp.errors import UsageError
from specbp.frames import table
from specbp.matrix.merging import Merged, merge
from specbp.matrix.store import FinishedCell, Store


def folder(path, **cells):
    """A results folder with a cell of each name, whose accuracy is the value."""
    store = Store.create(path)
    for cell, accuracy in cells.items():
        run = {"cell": cell, "arm": "sequential", "seed": 0, "status": "ok"}
        steps = table("steps", [{"cell": cell, "step": 0}])
        store.write("w", [FinishedCell(run | {"test_accuracy": accuracy}, [], steps)])
    return store


def test_cells_of_all_folders_are_there_once(tmp_path):
    ones = folder(tmp_path / "a", aa=0.1, bb=0.2), folder(tmp_path / "b", bb=0.2, cc=0.3)
    target = Store.create(tmp_path / "c")
    assert merge(ones, target) == Merged(copied=3, already_there=0, repeated=1)
    runs = target.load().runs
    assert dict(zip(runs["cell"], runs["test_accuracy"], strict=True)) == {
        "aa": 0.1, "bb": 0.2, "cc": 0.3
    }  # fmt: skip
    assert merge(ones, target) == Merged(copied=0, already_there=3, repeated=0)


def test_a_cell_that_was_trained_to_two_results_is_refused_by_name_and_nothing_is_copied(tmp_path):
    ones = folder(tmp_path / "a", aa=0.1, bb=0.2), folder(tmp_path / "b", bb=0.9)
    target = Store.create(tmp_path / "c")
    with pytest.raises(UsageError, match=f"cell bb in {tmp_path / 'a'} and {tmp_path / 'b'}"):
        merge(ones, target)
    assert target.statuses() == {}


def test_what_the_target_has_is_not_overwritten(tmp_path):
    target = folder(tmp_path / "c", aa=0.5)
    with pytest.raises(UsageError, match="trained twice, with different content: cell aa"):
        merge([folder(tmp_path / "a", aa=0.1)], target)
    assert target.load().runs["test_accuracy"].tolist() == [0.5]


def test_a_damaged_cell_is_not_passed_on(tmp_path):
    """Kind: a copy gets a checksum of its own, under which damage would be believed."""
    source, target = folder(tmp_path / "a", aa=0.1), Store.create(tmp_path / "c")
    file = tmp_path / "a/cells/aa/runs.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match="damaged"):
        merge([source], target)
    assert target.statuses() == {}


def test_a_merge_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    source, target = folder(tmp_path / "a", aa=0.1, bb=0.2), Store.create(tmp_path / "c")
    publish = durable.publish

    def fail(temporary, final):
        if final.name == "bb":
            raise KeyboardInterrupt
        publish(temporary, final)

    monkeypatch.setattr(durable, "publish", fail)
    with pytest.raises(KeyboardInterrupt):
        merge([source], target)
    monkeypatch.undo()
    with target.locked():
        assert merge([source], target) == Merged(copied=1, already_there=1, repeated=0)
    assert set(target.statuses()) == {"aa", "bb"}
