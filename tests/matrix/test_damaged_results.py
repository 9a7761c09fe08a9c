"""Results, checkpoints and published frames damaged with the right checksum: read, or refused in
one line; nothing is run, nothing crashes.

The damage is done in a process of its own, whose end by a signal is a failure here.
`bench/test_fuzzing.py` does the same for longer.
"""

import json
import random
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specbp import durable
from specbp.datasets.loading import load as load_dataset
from specbp.errors import UsageError
from specbp.matrix.checkpoint import Checkpoint
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.run import backend_opener, check_cells, run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.store import Store, parquet
from specbp.report import published
from tests.forked import start_forked
from tests.fuzzing import mutated, nothing_runs, within
from tests.matrix import scripted
from tests.report.conftest import make_cell, make_frames

MATRIX = {
    "base": {"train": 40, "test": 10, "batch_size": 8, "epochs": 2, "block_steps": 2},
    "axes": {"schedule": ["sequential", "speculative", "pipelined"]},
}
FRAMES = ("runs.parquet", "epochs.parquet", "steps.parquet")
PARQUET = [b"PAR1", b"\x15\x04", b"\x15\x00\x15\xfe\xff\xff\xff\x0f", b"\x19\xfc\xff\xff\xff\x0f"]
"""Magic, and Thrift's numbers and lists of lengths beyond the file."""
PICKLE = [
    b"cos\nsystem\n", b"c__builtin__\neval\n", b"R", b"b", b"K\xff", b"J\xff\xff\xff\x7f",
    b"PK\x03\x04",
]  # fmt: skip
SECONDS = 20.0
"""After which reading a file counts as hanging."""


def refused(work):
    """Return whether `work` says in one line that the file is damaged; it does nothing else."""
    try:
        within(SECONDS, work)
    except UsageError as error:
        assert "\n" not in str(error), error
        assert "--fresh" in str(error) or "delete" in str(error) or "again" in str(error), error
        return True
    return False


def finished(folder):
    """Make a results folder with finished cells; return the path of one that was trained."""
    scripted.run(folder / "results")
    runs = Store.open(folder / "results").load().runs
    return folder / "results" / "cells" / runs.loc[runs["status"] == "ok", "cell"].iloc[0]


def read_results(cell, name, content):
    """Read the results with `content` as one of a cell's files, its checksum right."""
    files = {path.name: path.read_bytes() for path in cell.iterdir() if path.name != durable.SUMS}
    before = dict(files)
    files[name] = content
    for files_now, work in ((files, True), (before, False)):
        durable.discard(cell)
        durable.write_folder(cell, files_now)
        if work:
            found = refused(lambda: Store.open(cell.parent.parent).load())
    return found


def fuzz_results(folder, number, seed, report):
    """Damage frames, in this process, and write how many were refused."""
    cell, draw, count = finished(folder), random.Random(seed), 0
    for _ in range(number):
        name = draw.choice(FRAMES)
        content = mutated(draw, (cell / name).read_bytes(), PARQUET)
        report.write_text(json.dumps({"last": [name, content.hex()]}))
        with nothing_runs():
            count += read_results(cell, name, content)
    report.write_text(json.dumps({"refused": count}))


def fuzz_published(folder, number, seed, report):
    """Damage the frames beside a report, in this process, and write how many were refused."""
    cells = [make_cell(), make_cell(8.0, schedule="pipelined")]
    paths = published.write(make_frames(*cells), folder / "published", "A report")
    published.read(folder / "published")
    draw, count = random.Random(seed), 0
    for _ in range(number):
        path = draw.choice(paths)
        whole = path.read_bytes()
        content = mutated(draw, whole, PARQUET)
        report.write_text(json.dumps({"last": [path.name, content.hex()]}))
        path.write_bytes(content)
        with nothing_runs():
            count += refused(lambda: published.read(folder / "published"))
        path.write_bytes(whole)
    published.read(folder / "published")
    report.write_text(json.dumps({"refused": count}))


def stopped(folder):
    """Make a checkpoint of a comparison in flight; return the store and its cells."""
    cells = expand(matrix_from(MATRIX, "m", "m.toml"), "m.toml")
    store = Store.create(folder / "results")
    asked = iter(range(100))
    with pytest.raises(Stopped):
        run_cells(cells, store, opener(), scripted.Silent(), 0, lambda: next(asked) == 2)
    return store, cells


def opener():
    dataset = load_dataset("digits", train=40, test=10)
    return backend_opener(lambda experiment: dataset)


def go_on(store, cells):
    """Go on from a checkpoint for a block of steps; leave it as it is."""
    saved = Checkpoint(store.unfinished / cells[0].workload).read()
    check_cells(cells, store, opener())
    for cell in cells if saved else ():
        training = opener()(cell.experiment)
        try:
            training.restore(saved.arms[cell.hash]["training"])
            training.advance(2)
        except FloatingPointError:
            pass  # weights may be any numbers
        finally:
            training.close()


def fuzz_checkpoints(folder, number, seed, report):
    """Damage state files, in this process, and write how many were refused."""
    store, cells = stopped(folder)
    state = store.unfinished / cells[0].workload / "state.pt"
    whole, draw, count = durable.read_sealed(state), random.Random(seed), 0
    for _ in range(number):
        content = mutated(draw, whole, PICKLE)
        report.write_text(json.dumps({"last": ["state.pt", content.hex()]}))
        state.write_bytes(durable.sealed(content))
        count += refused(lambda: go_on(store, cells))
    state.write_bytes(durable.sealed(whole))
    go_on(store, cells)
    report.write_text(json.dumps({"refused": count}))


def fuzz(function, folder, number, seed=0):
    """Return how many mutations were refused; fail at a crash, with what caused it."""
    report = folder / "report.json"
    process = start_forked(function, folder, number, seed, report)
    process.join(60 + 2 * number)
    found = json.loads(report.read_text())
    if process.exitcode != 0:
        process.kill()
        pytest.fail(f"ended with {process.exitcode}: {str(found)[:500]} (whole: {report})")
    return found["refused"]


def test_frames(tmp_path):
    assert fuzz(fuzz_results, tmp_path, 60) > 20


def test_published_frames(tmp_path):
    assert fuzz(fuzz_published, tmp_path, 60) > 20


def test_state_files(tmp_path):
    assert fuzz(fuzz_checkpoints, tmp_path, 60) > 20


def test_one_flipped_bit_anywhere_in_a_checkpoint_is_noticed(tmp_path):
    """Kind: a bit that a disk or a copy lost, in any region of any file."""
    store, cells = stopped(tmp_path)
    folder = store.unfinished / cells[0].workload
    draw, began = random.Random(0), time.monotonic()
    files = sorted(folder.iterdir())
    assert len(files) > 2
    for path in files:
        whole = path.read_bytes()
        stride = max(1, len(whole) // 60)
        for place in [*range(0, len(whole), stride), *range(max(0, len(whole) - 80), len(whole))]:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << draw.randrange(8)
            path.write_bytes(damaged)
            with pytest.raises(UsageError, match=r"damaged.*--fresh"):
                Checkpoint(folder).read()
        path.write_bytes(whole)
    assert Checkpoint(folder).read() is not None
    assert time.monotonic() - began < 300


def test_a_text_that_is_no_utf_8_is_damage(tmp_path):
    """Kind: a value that Parquet's reader does not look at; found by 1,500 mutations."""
    cell = finished(tmp_path)
    frame = pq.read_table(cell / "epochs.parquet")
    broken = pa.array([b"\xb3\xff"] * len(frame), pa.binary()).view(pa.string())
    place = frame.column_names.index("cell")
    content = parquet(frame.set_column(place, frame.schema.field("cell"), broken))
    assert read_results(cell, "epochs.parquet", bytes(content))
