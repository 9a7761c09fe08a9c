"""A fleet of three simulated boards over SSH; one dies in the middle, and comes back."""

import os
import threading
import time
from functools import partial

import pytest

from specbp.bitstream.making import make_simulated
from specbp.deploy.fleet import boards_of
from specbp.errors import SpecbpError, UsageError
from specbp.experiment import experiment_from
from specbp.frames import repeatable_columns
from specbp.matrix import fleet as fleets
from specbp.matrix import starts
from specbp.matrix.expand import Cell
from specbp.matrix.fleet import Fleet
from specbp.matrix.run import backend_opener, opener_of_files, run_cells
from specbp.matrix.store import Store
from specbp.overlay.parameters import Parameters
from specbp.simulation.build import build as build_model
from tests.deploy.conftest import deployed
from tests.deploy.loopback import LOGIN, SUDO, LoopbackBoard
from tests.forked import SERVER, run_forked
from tests.matrix.conftest import Memory

NAMES = ("a", "b", "c")
WORK = {"dataset": "digits", "train": 64, "test": 8, "epochs": 2, "batch_size": 8,
        "block_steps": 2}  # fmt: skip


@pytest.fixture(scope="module")
def boards(tmp_path_factory, builds):
    """Three boards on which a build is deployed, and what lets this process in."""
    build_model(Parameters())
    folder = tmp_path_factory.mktemp("fleet")
    found = []
    for name in NAMES:
        (folder / name).mkdir()
        found.append(LoopbackBoard(folder / name))
    known = folder / "known_hosts"
    known.write_text("".join(board.known_hosts.read_text() for board in found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECBP_KNOWN_HOSTS", str(known))
        patch.setenv("SPECBP_BOARD_PASSWORD", LOGIN)
        patch.setenv("SPECBP_SUDO_PASSWORD", SUDO)
        for board in found:
            deployed(board, builds[0])
        yield dict(zip(NAMES, found, strict=True))
    for board in found:
        board.close()


@pytest.fixture
def file(boards, tmp_path):
    """The fleet's file."""
    path = tmp_path / "fleet.toml"
    path.write_text(
        "\n".join(
            f'[[board]]\nname = "{name}"\naddress = "pynq://{board.address}"'
            for name, board in boards.items()
        )
    )
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Processes that train have imported everything already, and look for a board more often."""
    monkeypatch.setattr(starts, "PROCESSES", SERVER)
    monkeypatch.setattr(fleets, "RETRY_S", 0.2)


def opener_with(environment):
    """Make what opens trainings, in a process that has other variables than this test."""
    os.environ.clear()
    os.environ.update(environment)
    return opener_of_files(None)


def cell(seed, backend, **others):
    fields = WORK | {"seed": seed, "backend": backend} | others
    return Cell("fleet", 0, experiment_from(fields, "here"))


def start(cells, store, **arguments):
    Fleet(cells, store, partial(opener_with, dict(os.environ)), Memory(), **arguments).run()
    return store.load().runs.set_index("cell")


def test_one_board_dies_and_comes_back(boards, file, tmp_path):
    pinned = [cell(10, f"fleet:{file}#a"), cell(11, f"fleet:{file}#b")]
    free = [cell(seed, f"fleet:{file}") for seed in range(2)]
    store = Store.create(tmp_path / "results")
    died = []

    def kill():
        # While it trains what is pinned to it: it has programmed the overlay and runs.
        end = time.monotonic() + 600
        while time.monotonic() < end:
            if any("--who" in command for command in boards["a"].commands[before:]):
                boards["a"].switch_off()
                died.append(time.monotonic())
                time.sleep(1)
                boards["a"].switch_on()
                return
            time.sleep(0.05)

    before = len(boards["a"].commands)
    killer = threading.Thread(target=kill)
    killer.start()
    runs = start([*pinned, *free], store, checkpoint_seconds=0)
    killer.join()
    assert died and list(runs["status"]) == ["ok"] * 4, list(runs["reason"])
    assert runs.loc[pinned[0].hash, "board"].startswith("a: ")
    assert runs.loc[pinned[1].hash, "board"].startswith("b: ")
    assert len({board.partition(":")[0] for board in runs["board"]}) >= 2
    # Whoever trained it, it is what the simulation computes.
    alone = Store.create(tmp_path / "alone")
    reference = cell(10, "sim:rtl")
    run_cells([reference], alone, backend_opener_of_digits(), Memory())
    expected = alone.load().runs.iloc[0]
    for name in set(repeatable_columns("runs")) - {"cell", "backend", "arm"}:
        ours = runs.loc[pinned[0].hash, name]
        assert ours == expected[name] or (ours != ours and expected[name] != expected[name]), name


def backend_opener_of_digits():
    from specbp.matrix.run import dataset_reader

    return backend_opener(dataset_reader(None))


def test_a_board_that_stays_away_leaves_only_what_is_pinned_to_it(boards, file, tmp_path):
    boards["a"].switch_off()
    try:
        store = Store.create(tmp_path / "results")
        cells = [cell(20, f"fleet:{file}#a"), cell(21, f"fleet:{file}")]
        with pytest.raises(SpecbpError, match=r"1 comparisons were left: a: .*run the same") as one:
            start(cells, store, patience_s=2.0)
        assert "\n" not in str(one.value) and "no SSH server" in str(one.value)
    finally:
        boards["a"].switch_on()
    # What was left is missing, not failed: the same command trains it.
    assert list(store.load().runs["cell"]) == [cells[1].hash]
    runs = start(cells[:1], store)
    assert list(runs["status"]) == ["ok"] * 2


def test_what_a_board_cannot_train_goes_to_one_that_can(boards, file, tmp_path):
    build_model(Parameters(cores=2))
    build = make_simulated(tmp_path / "build", Parameters(cores=2)).folder
    assert deployed(boards["c"], build).switched
    two = cell(30, f"fleet:{file}", engines=2)
    runs = start([two], Store.create(tmp_path / "results"))
    assert list(runs["status"]) == ["ok"] and runs["board"].iloc[0].startswith("c: ")
    with pytest.raises(UsageError, match="lanes = 16, this needs 32"):
        start([cell(31, f"fleet:{file}", lanes=32)], Store.create(tmp_path / "others"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[board]]\nname = 1", "name and address, and nothing else"),
        ("board = 3", "a list of"),
        ("x = [", "not TOML"),
        ('[[board]]\nname = "a"\naddress = "sim:rtl"', "begins with pynq://"),
        ('[[board]]\nname = "a#b"\naddress = "pynq://x"', "without #"),
        ('[[board]]\nname = "a"\naddress = "pynq://x:y@z"', "must not hold a password"),
        ('[[board]]\nname="a"\naddress="pynq://x"\n' * 2, "two boards with the name a"),
    ],
)
def test_files_that_are_no_fleet(tmp_path, text, words):
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as found:
        boards_of(f"fleet:{path}")
    assert "\n" not in str(found.value)


def test_boards_are_free_or_pinned(file):
    assert [board.name for board in boards_of(f"fleet:{file}")] == list(NAMES)
    assert [board.name for board in boards_of(f"fleet:{file}#b")] == ["b"]
    with pytest.raises(UsageError, match=r'no board "d".*it has a, b, c'):
        boards_of(f"fleet:{file}#d")
    with pytest.raises(UsageError, match="no fleet can be read there"):
        boards_of("fleet:nowhere.toml")
    with pytest.raises(UsageError, match="names no file"):
        experiment_from({**WORK, "backend": "fleet:"}, "here")


def test_the_command_line_runs_a_fleet(boards, file, tmp_path):
    matrix = tmp_path / "matrix.toml"
    matrix.write_text(
        'name = "labs"\nrepeats = 2\n[base]\ndataset = "digits"\ntrain = 16\ntest = 8\n'
        f'epochs = 1\nbatch_size = 8\nbackend = "fleet:{file}"\n'
    )
    done = run_forked(
        ["specbp", "bench", str(matrix), "--results", "r"], tmp_path, dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert "2 cells in r" in done.stdout
