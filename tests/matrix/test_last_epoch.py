"""The accuracy of a cell is that after its last epoch, whatever there was before."""

from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.run import run_cells
from specbp.matrix.store import Store, load
from tests.matrix.scripted import MATRIX, ScriptedTraining, Silent


class Worsening(ScriptedTraining):
    """The best after its first epoch."""

    def test_accuracy(self):
        return 0.9 if self.step <= self.steps_per_epoch else 0.4


def test_it_is_that_of_the_last_epoch_and_not_the_best(tmp_path):
    """Kind: a number that is chosen after the fact. Planted fault: the best epoch is reported."""
    described = {**MATRIX, "axes": {"schedule": ["sequential"]}}
    cells = expand(matrix_from(described, "scripted", "scripted.toml"), "scripted.toml")
    store = Store.create(tmp_path)
    with store.locked():
        run_cells(cells, store, Worsening, Silent(), checkpoint_seconds=60)
    frames = load(tmp_path)
    assert frames.epochs["test_accuracy"].tolist() == [0.9, 0.4]
    assert frames.runs["test_accuracy"].tolist() == [0.4]
    assert frames.runs["best_test_accuracy"].tolist() == [0.9]
