"""A results folder that has something already: what is of another time, of other means or of
another matrix is said before the first step, with the way to what can be compared."""

import json
import shutil
from pathlib import Path

import pytest

import specbp as package
from specbp import durable
from specbp.api import training
from specbp.matrix import survey
from tests.cli.inside import specbp
from tests.cli.test_edited import change_stored

MATRIX = """
name = "{name}"
repeats = 2
[base]
train = 20
test = 10
batch_size = 10
epochs = {epochs}
block_steps = 1
[axes]
schedule = {schedules}
"""
TWO, THREE = ["sequential", "pipelined"], ["sequential", "pipelined", "data-parallel"]


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    """Writes the matrix m.toml in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def write(schedules=TWO, epochs=1, name="m"):
        text = MATRIX.format(schedules=json.dumps(schedules), epochs=epochs, name=name)
        (tmp_path / "m.toml").write_text(text)

    write()
    return write


def bench(*arguments, code=0):
    """Run the matrix, and return what is said before the first step, and the rows."""
    found, _, said = specbp("bench", "m.toml", "--results", "out", *arguments)
    assert found == code, said
    before = said.partition("training ")[0]
    return before, package.load("out").runs if code != 2 else None


def stopped(*arguments):
    """Run the matrix up to its first checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        run_cells = training.run_cells

        def first_round(*given):
            run_cells(*given[:-1], lambda: True)

        patch.setattr(training, "run_cells", first_round)
        code, _, said = specbp("bench", "m.toml", "--results", "out", *arguments, codes=(130,))
    assert code == 130, said
    assert list(Path("out/unfinished").glob("*/state.pt"))


def sessions(runs):
    """How many sessions each comparison was trained in, by seed."""
    return runs.groupby("seed")["session"].nunique().to_dict()


OTHER_MEANS = {
    "source_sha256": ("0" * 64, "sources 00000000 (now "),
    "torch_version": ("1.0", "PyTorch 1.0 (now "),
    "numpy_version": ("1.0", "NumPy 1.0 (now "),
    "cpu": ("abacus", "processor abacus (now "),
}


@pytest.mark.parametrize("column", OTHER_MEANS)
def test_cells_measured_by_other_means_are_named_and_measured_again_on_request(matrix, column):
    """Kind: another commit, library or machine answers with results of before, in silence."""
    value, words = OTHER_MEANS[column]
    before, runs = bench()
    assert before == ""
    changed = runs[(runs["seed"] == 0) & (runs["arm"] == "pipelined")].iloc[0]
    change_stored("out", changed["cell"], **{column: value})
    before, runs = bench()
    assert "out: 4 of 4 cells are there already, 1 of them measured by" in before
    assert words in before and "--again measures their comparisons again" in before
    assert (runs[column] == value).sum() == 1, "nothing is measured again unasked"
    kept = set(runs.loc[runs["seed"] == 1, "session"])
    _, runs = bench("--again")
    assert (runs[column] != value).all() and sessions(runs) == {0: 1, 1: 1}
    assert set(runs.loc[runs["seed"] == 1, "session"]) == kept, "only what had to be"


def test_half_trained_cells_are_not_finished_by_other_means(matrix, monkeypatch):
    """Kind: a training that is a mix of two programs."""
    matrix(epochs=2)
    stopped()
    with monkeypatch.context() as patch:
        patch.setattr(survey, "difference", lambda row, columns=(): "specbp of before")
        code, _, said = specbp("bench", "m.toml", "--results", "out")
    assert code == 2
    assert "2 half-trained cells were begun by specbp of before: finish them by the same" in said
    assert "--again" in said and "--fresh" in said
    _, runs = bench()
    assert (runs["status"] == "ok").all()


def test_an_arm_that_is_added_later_is_not_compared_in_silence(matrix):
    """Kind: arms from two times; said before, told by the report, mended by --again."""
    bench()
    matrix(THREE)
    before, runs = bench()
    assert "out: 4 of 6 cells are there already" in before
    assert "2 cells will not be timed in turns with the arms of the same work" in before
    assert "--again trains these comparisons again, whole" in before
    assert sessions(runs) == {0: 2, 1: 2}
    before, _ = bench()
    assert "the arms of 2 comparisons there were not timed in turns" in before
    assert "not timed in turns" in specbp("report", "out")[1].lower()
    before, runs = bench("--again")
    assert before == "" and sessions(runs) == {0: 1, 1: 1} and len(runs) == 6
    assert bench()[0].startswith("out: 6 of 6 cells are there already (--fresh measures them")
    assert "turns" not in bench()[0]


def test_cells_of_another_matrix_in_the_same_folder_are_named(matrix):
    """Kind: a mix of matrices, or of a matrix with itself as it was before."""
    bench()
    matrix(epochs=2)
    before, runs = bench()
    assert "4 cells there are not of this matrix but of m as it was before" in before
    assert "a report shows them too" in before and "--fresh deletes what is of m" in before
    assert len(runs) == 8
    matrix(epochs=3, name="other")
    before, runs = bench()
    assert "8 cells there are not of this matrix but of m" in before and len(runs) == 12
    matrix(epochs=2)
    before, runs = bench("--fresh")
    assert "4 cells there are not of this matrix but of other" in before
    assert sorted(runs.groupby("matrix").size().items()) == [("m", 4), ("other", 4)]
    assert (runs.loc[runs["matrix"] == "m", "epochs"] == 2).all()


def test_a_checkpoint_that_nobody_will_finish_is_named_and_can_be_deleted(matrix, tmp_path):
    """Kind: an orphan; the matrix changed after it was stopped."""
    matrix(epochs=3)
    stopped()
    matrix(epochs=1)
    before, _ = bench()
    assert "1 half-trained comparison there is not of this matrix" in before
    assert "--fresh deletes what is of m" in before
    assert len([*tmp_path.glob("out/unfinished/*/state.pt")]) == 1
    bench("--fresh")
    assert not [*tmp_path.glob("out/unfinished/*")]
    assert "half-trained" not in bench()[0]


def test_a_filter_does_not_leave_half_trained_cells_behind(matrix):
    """Kind: arms that take turns, of which one is asked for."""
    matrix(epochs=2)
    stopped()
    code, _, said = specbp("bench", "m.toml", "--results", "out", "--filter", "arm=pipelined")
    assert (
        code == 2
        and "1 of the half-trained cells that take turns with these is not asked for" in said
    )
    _, runs = bench("--filter", "arm=pipelined", "--fresh")
    assert set(runs["arm"]) == {"pipelined"}


@pytest.mark.parametrize("verb", [["report", "out"], ["bench", "m.toml", "--results", "out"]])
def test_a_copy_of_a_cell_is_named(matrix, tmp_path, verb):
    """Kind: `cp -r` of a cell, as a backup or by a file manager."""
    _, runs = bench()
    cell = runs["cell"].iloc[0]
    shutil.copytree(tmp_path / "out/cells" / cell, tmp_path / "out/cells" / f"{cell} (copy)")
    code, _, said = specbp(*verb)
    assert code == 2
    assert f"a copy of the cell {cell}: delete this folder" in said


def test_half_made_cells_are_said_and_made_again(matrix, tmp_path):
    """Kind: files of 0 bytes, or none, after a power cut on a file system that loses them."""
    _, runs = bench()
    cell = tmp_path / "out/cells" / runs["cell"].iloc[0]
    (cell / durable.SUMS).write_bytes(b"")
    before, runs = bench()
    assert "1 cell half-made: counted as missing" in before
    assert len(runs) == 4 and (runs["status"] == "ok").all()
