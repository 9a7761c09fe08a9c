import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specbp.errors import UsageError
from specbp.report.compare import compare, summarise
from specbp.report.curves import breakdowns
from specbp.report.pairing import comparisons
from specbp.report.published import is_published, read, rounds, write
from specbp.report.statistics import ratio_with_interval
from specbp.report.story import story


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
    runs, epochs, turns = (pd.read_parquet(path) for path in write(demo, tmp_path, "A title"))
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
        write(demo, tmp_path / "file", "A title")


def test_a_report_can_be_made_again_from_what_lies_beside_it(demo, tmp_path):
    """Kind: a published number that nobody can make again. All but quantiles is the same."""
    assert not is_published(tmp_path)
    write(demo, tmp_path, "A title")
    assert is_published(tmp_path)
    source = read(tmp_path)
    assert source.title == "A title"
    first, again = summarise(demo), summarise(source.frames)
    assert story(first) == story(again)
    for one, other in zip(first.comparisons, again.comparisons, strict=True):
        for arm, same in zip(one.arms, other.arms, strict=True):
            assert (arm.name, arm.steps, arm.accuracy) == (same.name, same.steps, same.accuracy)
            if hasattr(arm.one_thread, "time"):
                assert same.one_thread.time.low == pytest.approx(arm.one_thread.time.low, 1e-3)


def test_parts_of_a_mean_step_survive_being_summed_up(demo, tmp_path):
    write(demo, tmp_path, "A title")
    for comparison in comparisons(demo.runs):
        first = breakdowns(demo, comparison)
        again = breakdowns(read(tmp_path).frames, comparison)
        assert first and len(first) == len(again)
        for one, other in zip(first, again, strict=True):
            assert other.step_ms == pytest.approx(one.step_ms, rel=1e-3)
            for bar, same in zip(one.bars, other.bars, strict=True):
                assert dict(same.parts) == pytest.approx(dict(bar.parts), rel=1e-2, abs=1e-3)


def test_what_was_written_is_written_again_without_loss(demo, tmp_path):
    first = write(demo, tmp_path / "a", "A title")
    again = write(read(tmp_path / "a").frames, tmp_path / "b", "A title")
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(
            pd.read_parquet(one), pd.read_parquet(other), check_like=True, check_dtype=False
        )


def test_a_file_that_is_none_of_these_is_named_in_one_line(demo, tmp_path):
    write(demo, tmp_path, "A title")
    (tmp_path / "rounds.parquet").write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="not the frames of a published report") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


WRONG = {
    "numbers for text": ("runs", "cell", pa.int64()),
    "text for numbers": ("rounds", "step_ms", pa.string()),
    "bytes for text": ("runs", "arm", pa.binary()),
    "a list for a number": ("epochs", "loss", pa.list_(pa.float64())),
    "a moment for a number": ("rounds", "steps", pa.timestamp("ns")),
    "a number for a flag": ("runs", "synthetic", pa.float64()),
    "text for what only published frames have": ("runs", "typical_ms", pa.string()),
}


@pytest.mark.parametrize(("frame", "name", "kind"), WRONG.values(), ids=WRONG)
def test_a_column_of_another_type_is_named_in_one_line(demo, tmp_path, frame, name, kind):
    """Kind: a foreign file that is Parquet, with the right columns of the wrong types."""
    write(demo, tmp_path, "A title")
    path = tmp_path / f"{frame}.parquet"
    table = pq.read_table(path)
    made = pa.nulls(len(table), kind) if name != "cell" else pa.array(range(len(table)), kind)
    pq.write_table(table.set_column(table.column_names.index(name), name, made), path)
    with pytest.raises(UsageError, match=rf"the column {name} of {frame}\.parquet is ") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_rows_of_no_cell_are_refused(demo, tmp_path):
    """Kind: a file without the column that joins the frames, with gaps in it, or with it twice."""
    write(demo, tmp_path, "A title")
    path = tmp_path / "epochs.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("cell")
    gaps = pa.array([None] * len(table), pa.string())
    for spoiled, words in (
        (table.drop_columns(["cell"]), "which cell"),
        (table.set_column(place, "cell", gaps), "which cell"),
        (table.append_column("loss", table["loss"]), "two columns loss"),
    ):
        pq.write_table(spoiled, path)
        with pytest.raises(UsageError, match=words):
            read(tmp_path)
