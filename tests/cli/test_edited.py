"""What a name names has changed, and the same command is given again."""

import json
from pathlib import Path

import pandas as pd
import pytest

import specbp as package
from specbp import durable
from specbp.experiment import experiment_from
from specbp.matrix.expand import Cell
from specbp.report.titles import NETWORK_DIGITS

MODEL = """
from torch import nn
def net(channels, classes):
    return nn.Sequential(nn.Flatten(), {layers}nn.Linear(64 * channels, classes))
"""
BEFORE, AFTER = "", "nn.Linear(64, 64), nn.ReLU(), "
MATRIX = """
repeats = 2
[base]
model = "mine:net"
train = 160
test = 50
epochs = 1
[axes]
schedule = ["sequential", "pipelined"]
"""
RUN = ("run", "--model", "mine:net", "--train", 160, "--test", 50, "--epochs", 1, "--json")


@pytest.fixture
def edit(tmp_path):
    def write(layers):
        (tmp_path / "mine.py").write_text(MODEL.format(layers=layers))

    return write


def test_an_edited_model_is_trained_anew(specbp, edit):
    """Kind: a model changes under its name; going back finds the result of before again."""

    def run():
        code, output, error = specbp(*RUN)
        assert code == 0, error
        (row,) = json.loads(output)
        return row, "are there already" in error

    edit(BEFORE)
    first, _ = run()
    again, was_there = run()
    assert was_there and again == first
    edit(AFTER)
    edited, was_there = run()
    assert not was_there
    for column in ("cell", "network_sha256", "initial_weights_sha256", "final_weights_sha256"):
        assert edited[column] != first[column]
    edit(BEFORE)
    back, was_there = run()
    assert was_there and back == first


def test_a_matrix_never_mixes_a_model_with_what_it_was_before(specbp, edit, tmp_path):
    """Kind: the same, for the arms of a comparison, and in the report of both."""
    (tmp_path / "own.toml").write_text(MATRIX)
    edit(BEFORE)
    code, _, error = specbp("bench", "own.toml", "--filter", "schedule=sequential")
    assert code == 0, error
    edit(AFTER)
    code, output, error = specbp("bench", "own.toml", "--json")
    assert code == 0, error
    rows = json.loads(output)
    assert len(rows) == 4 and len({row["network_sha256"] for row in rows}) == 1
    runs = package.load(tmp_path / "results" / "own").runs
    assert sorted(runs.groupby("network_sha256").size()) == [2, 4]
    code, output, error = specbp("report", "results/own")
    assert code == 0, error
    for network in runs["network_sha256"].unique():
        assert network[:NETWORK_DIGITS] in output


def stored_in(folder, row):
    return folder / "results" / "run" / "cells" / row["cell"]


def change_row(folder, row, **columns):
    """Change what the only run stored."""
    change_stored(folder / "results" / "run", row["cell"], **columns)


def change_stored(results, name, **columns):
    """Change a stored cell, checksum included: as if it had been measured so."""
    cell = Path(results) / "cells" / name
    for frame in ("runs", "epochs", "steps"):
        path = cell / f"{frame}.parquet"
        rows = pd.read_parquet(path)
        changed = {name: columns[name] for name in columns if name in rows}
        rows.assign(**changed).to_parquet(path)
    (cell / durable.SUMS).unlink()
    durable.seal_folder(cell)


def test_cells_that_were_measured_on_other_data_are_measured_again(specbp, edit, tmp_path):
    """Kind: data that changes under its name; here its hash of then is another."""
    edit(BEFORE)
    code, output, error = specbp(*RUN)
    assert code == 0, error
    (row,) = json.loads(output)
    change_row(tmp_path, row, dataset_sha256="0" * 64)
    code, output, error = specbp(*RUN)
    assert code == 0, error
    assert "1 cells were measured on other data than is there now" in error
    (again,) = json.loads(output)
    assert again["dataset_sha256"] == row["dataset_sha256"]


def test_data_that_is_not_there_is_no_reason_to_measure_again(specbp, edit, tmp_path):
    """Kind: the same, where it cannot be checked, which is said."""
    edit(BEFORE)
    code, output, error = specbp(*RUN)
    assert code == 0, error
    (row,) = json.loads(output)
    elsewhere = Cell("run", 0, experiment_from({"dataset": "mnist", "model": "lenet5"}))
    change_row(tmp_path, row, cell=elsewhere.hash, dataset="mnist")
    stored_in(tmp_path, row).rename(stored_in(tmp_path, {"cell": elsewhere.hash}))
    code, _, error = specbp("run", "--dataset", "mnist", "--model", "lenet5", "--data-root", "none")
    assert code == 0, error
    assert "not checked whether mnist is what it was then: mnist: no train-images" in error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def net(", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        (
            "from torch import nn; net = nn.Linear(1, 1)",
            "gives a Linear, not an nn.Module made of layers",
        ),
        ("def net(width): pass", "takes (width)"),
        (MODEL.format(layers="nn.Dropout2d(), "), "layer 1:Dropout2d is not supported"),
        (MODEL.format(layers="nn.Linear(100, 64), "), "1:Linear does not fit its input (64,)"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "bench", "dry run"])
def test_a_model_that_cannot_be_trained_is_one_line_and_exit_code_2(
    specbp, tmp_path, content, message, verb
):
    """Kind: whatever is wrong with a user's own model, before anything is trained."""
    (tmp_path / "mine.py").write_text(content)
    (tmp_path / "own.toml").write_text(MATRIX)
    bench = ("bench", "own.toml", *(["--dry-run"] if verb == "dry run" else []))
    code, line = specbp.fails(*(RUN if verb == "run" else bench))
    assert code == 2
    assert message in line
