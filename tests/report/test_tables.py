from __future__ import annotations

from specbp.frames import Frames
from specbp.report.compare import summarise
from specbp.report.curves import breakdowns, epoch_curves
from specbp.report.pairing import comparisons
from specbp.report.tables import DASH, breakdown_table, epoch_table, hash_table, work_table


def test_every_row_has_a_value_for_every_heading(plain: Frames) -> None:
    (comparison,) = comparisons(plain.runs)
    found = summarise(plain).comparisons[0]
    for table in (
        epoch_table(epoch_curves(plain, comparison)),
        breakdown_table(breakdowns(plain, comparison)),
        hash_table(found),
        work_table(found),
    ):
        assert table.rows
        assert all(len(row) == len(table.headings) for row in table.rows)


def test_epochs_are_means_over_seeds(plain: Frames) -> None:
    (comparison,) = comparisons(plain.runs)
    table = epoch_table(epoch_curves(plain, comparison))
    last = dict(zip(table.headings, table.rows[-1], strict=True))
    assert (last["arm"], last["epoch"]) == ("pipelined", "1")
    assert (last["test accuracy, %"], last["accepted, %"]) == ("88.00", "75.0")
    assert table.rows[0][-1] == DASH


def test_hashes_are_shown_in_full_for_every_seed(plain: Frames) -> None:
    table = hash_table(summarise(plain).comparisons[0])
    assert [row[0] for row in table.rows] == ["0", "1", "2"]
    assert all(len(value) == 64 for row in table.rows for value in row[1:])
