"""One bitstream of two cores measures the whole experiment, over PYNQ.remote."""

import pytest

from specbp.bitstream.making import make_simulated
from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.matrix.expand import Cell
from specbp.matrix.run import backend_opener, dataset_reader, run_cells
from specbp.matrix.store import Store
from specbp.onboard.build import usual_folder
from specbp.overlay.parameters import Parameters
from tests.matrix.conftest import Memory

WORK = {"dataset": "digits", "train": 16, "test": 8, "epochs": 1, "batch_size": 8}
ARMS = {
    "sequential": {},
    "sequential, two cores": {"engines": 2},
    "speculative": {"schedule": "speculative", "reuse": "replay"},
}


@pytest.fixture
def two_cores(tmp_path, monkeypatch):
    """A folder in which both builds are where `specbp overlay build` puts them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPECBP_BUILD", raising=False)
    for cores in (1, 2):
        parameters = Parameters(cores=cores)
        make_simulated(usual_folder("simulated", parameters), parameters)


def test_all_arms_from_one_bitstream(served, two_cores, release_boards, tmp_path):
    backends = {"board": f"remote://{served.address}", "simulation": "sim:rtl"}
    rows = {}
    for where, backend in backends.items():
        cells = [
            Cell(arm, 0, experiment_from(WORK | fields | {"backend": backend}, "here"))
            for arm, fields in ARMS.items()
        ]
        store = Store.create(tmp_path / where)
        run_cells(cells, store, backend_opener(dataset_reader(None)), Memory())
        rows[where] = store.load().runs.set_index("matrix").loc[list(ARMS)]
    board, simulation = rows["board"], rows["simulation"]
    assert list(board["status"]) == ["ok"] * 3, list(board["reason"])
    assert set(board["programmed"]) == {Parameters(cores=2).described}
    assert set(simulation["programmed"]) == {
        Parameters(cores=1).described,
        Parameters(cores=2).described,
    }
    assert list(board["final_weights_sha256"]) == list(simulation["final_weights_sha256"])
    # What a core takes does not depend on there being another one that rests.
    assert list(board["cycles"]) == list(simulation["cycles"])
    assert board["cycles"].iloc[1:].max() < board["cycles"].iloc[0]


def test_an_arm_that_needs_more_cores_says_what_to_build(
    served, build, monkeypatch, release_boards
):
    from specbp.remote.executor import RemoteExecutor

    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    RemoteExecutor("127.0.0.1", served.port, Parameters())
    with pytest.raises(UsageError, match=r"specbp overlay build --board simulated --cores 2"):
        RemoteExecutor("127.0.0.1", served.port, Parameters(cores=2))


def test_a_fresh_folder_says_what_to_build(served, tmp_path, monkeypatch, release_boards):
    from specbp.remote.executor import RemoteExecutor

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPECBP_BUILD", raising=False)
    with pytest.raises(UsageError, match=r"specbp overlay build --board simulated --cores 1"):
        RemoteExecutor("127.0.0.1", served.port, Parameters())
