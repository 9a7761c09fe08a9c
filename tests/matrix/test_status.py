"""What another process can see of a matrix: what is done, begun, failed and waiting."""

import pytest
from filelock import FileLock

from specbp.errors import UsageError
from specbp.matrix.expand import expand, in_starts, matrix_from
from specbp.matrix.run import run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.status import note_asked, status_of
from specbp.matrix.store import Store
from tests.matrix.scripted import MATRIX, ScriptedTraining, Silent


@pytest.fixture
def cells():
    """Three arms, one of which fails, in two starts."""
    return in_starts(expand(matrix_from(MATRIX, "scripted", "scripted.toml"), "scripted.toml"), 2)


def test_a_matrix_is_seen_from_its_first_cell_to_its_last(tmp_path, cells):
    store = Store.create(tmp_path)
    note_asked(cells, store)
    assert [one.counts for one in status_of(store).comparisons] == [{"waiting": 3}] * 2
    assert status_of(store).expected_s is None

    run_cells(cells[:3], store, ScriptedTraining, Silent(), checkpoint_seconds=0)
    found = status_of(store)
    first, second = found.comparisons
    assert first.counts == {"done": 2, "failed": 1}
    assert first.failures == ("ValueError: broke on purpose",)
    assert second.counts == {"waiting": 3}
    assert "start 1" in second.work
    assert found.expected_s > 0  # of the arms that were done once
    assert found.unknown == 1

    asked = iter([False, True])
    with pytest.raises(Stopped):
        run_cells(cells[3:], store, ScriptedTraining, Silent(), 0, lambda: next(asked, True))
    begun = status_of(store).comparisons[1]
    assert begun.counts == {"begun": 3}
    assert begun.checkpoint_s < 60


def test_it_says_whether_somebody_trains_now(tmp_path):
    store = Store.create(tmp_path)
    assert not status_of(store).is_written
    with FileLock(tmp_path / ".lock"):
        assert status_of(store).is_written


def test_a_damaged_list_of_cells_is_one_line(tmp_path, cells):
    store = Store.create(tmp_path)
    note_asked(cells, store)
    (tmp_path / "asked/scripted.json").write_text('[{"cell": 1}]')
    with pytest.raises(UsageError, match=r"damaged.*delete it"):
        status_of(store)
