"""The key of a cell knows all that its result depends on, also what changes under a name."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from specbp.datasets.loading import load
from specbp.defaults import without_effect
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.initial import Identity
from specbp.matrix.expand import Cell, expand, matrix_from
from specbp.matrix.run import backend_opener, run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.store import Store
from specbp.matrix.survey import missing
from specbp.network.models import MODELS, BuiltIn
from tests.test_experiment import APART, OTHER_VALUES, base_for

SIZES = {"train": 160, "test": 50}


def linear(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def with_relu(channels, classes):
    return nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(64, classes))


def from_zero(channels, classes):
    model = linear(channels, classes)
    nn.init.zeros_(model[1].weight)
    return model


@pytest.fixture
def net(monkeypatch):
    """Puts a model under the name "net", as editing its file does."""
    return lambda make: monkeypatch.setitem(MODELS, "net", BuiltIn(make, 8))


def cell_of(identity=None, **fields):
    """A cell, of a network that is said to be of some identity."""
    cell = Cell("m", 0, experiment_from(fields))
    if identity:
        object.__setattr__(cell, "identity", identity)
    return cell


FIRST = Identity("a" * 64, "b" * 64)
UNDERNEATH = {
    "network": replace(FIRST, network_sha256="c" * 64),
    "initial weights": replace(FIRST, initial_weights_sha256="c" * 64),
}


@given(
    # What a file of initial weights holds is part of the identity, and its path of nothing.
    st.lists(
        st.sampled_from(sorted(OTHER_VALUES.keys() - {"initial_weights"})), unique=True, max_size=4
    ),
    st.sampled_from([None, *UNDERNEATH]),
)
def test_every_knob_and_every_change_underneath_changes_the_key(names, change):
    """Kind: all fields, and what they only name; equal cells have equal keys."""
    assume(not any(pair <= set(names) for pair in APART))
    fields = {"schedule": "speculative"}
    for name in names:
        fields |= base_for(name) | {name: OTHER_VALUES[name]}
    ignored = without_effect(fields)
    fields = {name: value for name, value in fields.items() if name not in ignored}
    base = cell_of(FIRST, schedule="speculative")
    changed = cell_of(UNDERNEATH.get(change, FIRST), **fields)
    same = changed.experiment == base.experiment and change is None
    assert (changed.hash == base.hash) == same
    assert changed.hash == cell_of(changed.identity, **changed.experiment.model_dump()).hash
    if change:
        assert changed.workload != cell_of(FIRST, **fields).workload


@pytest.mark.parametrize("other", [with_relu, from_zero])
def test_an_edited_model_is_another_cell_and_not_there(net, other, tmp_path, memory):
    """Kind: the network changes under its name, in what it computes or in what it starts from."""
    store = Store.create(tmp_path / "results")
    opener = backend_opener(lambda experiment: load("digits", **SIZES))
    fields = {**SIZES, "model": "net", "epochs": 1}
    net(linear)
    before = cell_of(**fields)
    run_cells([before], store, opener, memory)
    assert missing([cell_of(**fields)], store, retry_failed=True) == []
    net(other)
    after = cell_of(**fields)
    assert missing([after], store, retry_failed=True) == [after]
    run_cells([after], store, opener, memory)
    runs = store.load().runs.set_index("cell")
    assert runs.loc[after.hash, "network_sha256"] == after.identity.network_sha256
    first, second = runs.loc[before.hash], runs.loc[after.hash]
    assert first["final_weights_sha256"] != second["final_weights_sha256"]


def test_a_checkpoint_of_another_network_is_not_gone_on_from(net, tmp_path, memory):
    store = Store.create(tmp_path / "results")
    opener = backend_opener(lambda experiment: load("digits", **SIZES))
    fields = {**SIZES, "model": "net", "epochs": 2, "block_steps": 1}
    net(linear)
    with pytest.raises(Stopped):
        run_cells([cell_of(**fields)], store, opener, memory, 0, stop=lambda: True)
    net(with_relu)
    run_cells([cell_of(**fields)], store, opener, memory)
    net(linear)
    run_cells([cell_of(**fields)], store, opener, memory)
    assert [done for _, _, done in memory.sessions] == [0, 0, 1], "only the last one goes on"


def test_a_checkpoint_of_other_data_is_refused(tiny, tmp_path, memory):
    """Kind: what changes between stop and resume, and is not in the key."""
    store = Store.create(tmp_path / "results")
    data = [load("digits", **SIZES)]
    opener = backend_opener(lambda experiment: data[-1])
    with pytest.raises(Stopped):
        run_cells(tiny[:1], store, opener, memory, 0, stop=lambda: True)
    data.append(replace(data[0], train_labels=data[0].train_labels.flip(0)))
    with pytest.raises(UsageError, match="digits has changed since the half-trained cell"):
        run_cells(tiny[:1], store, opener, memory)


def test_a_network_is_built_once_for_all_cells_of_a_matrix(net):
    """Kind: what a dry run of thousands of cells costs."""
    built = []

    def counted(channels, classes):
        built.append(classes)
        return linear(channels, classes)

    net(counted)
    axes = {"learning_rate": [n / 1000 for n in range(1, 501)], "batch_size": [4, 8]}
    matrix = {"base": {"model": "net"}, "axes": axes, "repeats": 2}
    cells = expand(matrix_from(matrix, "m", "m.toml"), "m.toml")
    assert len({cell.hash for cell in cells}) == 2000
    assert len(built) == 2, "once for each seed"


def test_a_model_that_draws_elsewhere_is_refused(net):
    """Kind: a network that is another one each time, so that no key fits it."""
    scales = iter(range(1, 100))

    def drawing(channels, classes):
        model = linear(channels, classes)
        nn.init.constant_(model[1].bias, next(scales))
        return model

    net(drawing)
    with pytest.raises(UsageError, match=r'model "net" is another each time .* the seed 0: draw'):
        backend_opener(lambda experiment: load("digits", **SIZES))(
            experiment_from({"model": "net"})
        )
