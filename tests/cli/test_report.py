"""From a finished matrix to the report, and the gate of `compare`."""

import json

import pytest

from specbp.frames import FORMAT
from tests.cli.conftest import TINY, CommandLine


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    specbp = CommandLine(folder)
    assert specbp("bench", "tiny.toml", "--results", "out")[0] == 0
    return specbp


def test_the_report_is_printed_and_written(finished):
    code, output, error = finished("report", "out", "--title", "A title")
    assert code == 0, error
    assert "pipelined" in output
    page = (finished.folder / "out" / "report" / "report.html").read_text()
    assert "<title>A title" in page
    assert "pipelined" in page
    assert "| pipelined" in (finished.folder / "out" / "report" / "report.md").read_text()


def test_frames_are_written_beside_the_report_when_asked_for(finished):
    folder = finished.folder / "published"
    code, output, error = finished("report", "out", "--output", "published", "--with-frames")
    assert code == 0, error
    assert "rounds.parquet" in output
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "report.md", "runs.parquet", "epochs.parquet", "rounds.parquet"
    }  # fmt: skip


def test_compare_holds_what_was_trained_against_each_other(finished):
    """Here the machine is busy, so that it may find no verdict to give; see test_compare.py."""
    code, output, error = finished("compare", "out", "--arm", "pipelined", "--json")
    assert code in (0, 4), error
    (comparison,) = json.loads(output)
    assert comparison["time"]["low"] < comparison["time"]["ratio"] < comparison["time"]["high"]
    assert comparison["seeds"] == [0, 1]
    assert bool(comparison["withheld"]) == (code == 4)


def test_an_unknown_arm_is_named_with_the_nearest(finished):
    code, line = finished.fails("compare", "out", "--arm", "pipelind")
    assert code == 2
    assert 'did you mean "pipelined"' in line


def test_a_report_of_nothing_is_exit_code_4(finished, tmp_path):
    (tmp_path / "empty" / "cells").mkdir(parents=True)
    (tmp_path / "empty" / "format.json").write_text(json.dumps({"format": FORMAT}))
    assert finished.fails("report", tmp_path / "empty")[0] == 4
    assert finished.fails("report", tmp_path / "nowhere")[0] == 2
