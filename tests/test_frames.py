import pytest

from specbp.experiment import Experiment
from specbp.frames import RUNS, SCHEMAS, arrow_schema, empty, table


def test_every_field_of_an_experiment_is_a_column_of_runs():
    assert {column.name for column in RUNS} >= set(Experiment.model_fields)


@pytest.mark.parametrize("frame", SCHEMAS)
def test_every_column_says_what_it_means(frame):
    assert all(column.meaning for column in SCHEMAS[frame])
    assert len({column.name for column in SCHEMAS[frame]}) == len(SCHEMAS[frame])
    assert list(empty(frame).columns) == arrow_schema(frame).names


def test_what_a_row_leaves_out_is_null_and_what_it_adds_is_refused():
    rows = table("epochs", [{"cell": "a", "epoch": 1}])
    assert rows.column("accept_rate")[0].as_py() is None
    with pytest.raises(ValueError, match="no column surprise"):
        table("epochs", [{"surprise": 1}])


def test_times_carry_their_unit_and_are_not_expected_to_repeat():
    for columns in SCHEMAS.values():
        for column in columns:
            if column.name.endswith(("_ms", "_s")):
                assert not column.repeatable
                assert f", {column.name.rsplit('_', 1)[1]}" in column.meaning
