import pandas as pd
import pytest

from specbp.errors import UsageError
from specbp.report.compare import compare
from specbp.report.published import rounds, write_frames
from specbp.report.statistics import ratio_with_interval


def test_rounds_are_the_sums_of_their_steps():
    steps = pd.DataFrame(
        [
            {"cell": "a", "epoch": 1, "round": 0, "step_ms": 1.5, "accepts": 3, "rejects": 1},
            {"cell": "a", "epoch": 1, "round": 0, "step_ms": 2.0004, "accepts": 4, "rejects": 0},
            {"cell": "a", "epoch": 1, "round": 1, "step_ms": 1.0, "accepts": 0, "rejects": 4},
            {"cell": "b", "epoch": 1, "round": 0, "step_ms": 4.0, "accepts": None, "rejects": None},
        ]
    ).astype({"accepts": "Int64", "rejects": "Int64"})
    summed = rounds(steps)
    assert summed["steps"].tolist() == [2, 1, 1]
    assert summed["step_ms"].tolist() == [3.5, 1.0, 4.0]
    assert summed["accepts"].tolist() == [7, 0, pd.NA]
    assert summed["cell"].tolist() == ["a", "a", "b"]


def test_a_reader_can_recompute_a_ratio_from_the_written_frames(demo, tmp_path):
    runs, epochs, turns = (pd.read_csv(path) for path in write_frames(demo, tmp_path))
    assert len(runs) == len(demo.runs)
    assert len(epochs) == len(demo.epochs)
    arm, baseline = "pipelined", "sequential, 1 thread"
    expected = compare(demo, arm, baseline, "Batch 8")

    def by_start(name):
        cells = runs[(runs["arm"] == name) & (runs["batch_size"] == 8)]
        return [
            turns[turns["cell"] == cell]["step_ms"].tolist()
            for cell in cells.sort_values("seed")["cell"]
        ]

    ratio = ratio_with_interval(by_start(arm), by_start(baseline))
    assert ratio.ratio == pytest.approx(expected.time.ratio, rel=1e-4)
    assert ratio.low == pytest.approx(expected.time.low, rel=1e-3)


def test_a_folder_that_cannot_be_written_is_named(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        write_frames(demo, tmp_path / "file")
