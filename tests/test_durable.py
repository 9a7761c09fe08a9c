"""What is stored is on the disk when the call returns; before that, the old is there or the new."""

import random

import pytest

from specbp import durable
from specbp.bitstream.making import make_simulated
from specbp.durable import DamagedError, HalfMadeError
from specbp.overlay.parameters import Parameters
from specbp.report import published
from specbp.report.writing import write_report
from tests.disk import CUTS, Disk, Model, put
from tests.report.conftest import make_cell, make_frames

OLD, NEW = {"a": b"old", "b": b"also old"}, {"a": b"new content", "b": b"more"}


def make(folder, files):
    """Publish a folder, as results are."""
    durable.write_folder(folder / ".staged", files)
    durable.publish(folder / ".staged", folder / "it")


def seal(folder, files):
    """Publish a folder that somebody else filled, as caches are."""
    staged = folder / ".staged"
    durable.make_folder(staged)
    for name, content in files.items():
        descriptor = durable.os.open(staged / name, durable.os.O_CREAT | durable.os.O_WRONLY)
        durable.os.write(descriptor, content)
        durable.os.close(descriptor)
    durable.seal_folder(staged)
    durable.publish(staged, folder / "it")


def replace_files(folder, files):
    """Store single files one after the other, as a checkpoint is."""
    durable.make_folder(folder / "it")
    for name, content in files.items():
        durable.write(folder / "it" / name, content)


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """Does work below an empty folder; returns what a power cut leaves after each change."""

    def work(*steps):
        disk = Disk(fsync=False)
        root = tmp_path / "root"
        root.mkdir()
        ends = []
        monkeypatch.setattr(durable, "os", disk)
        for step in steps:
            step(root)
            ends.append(len(disk.log))
        monkeypatch.undo()
        return root, disk.log, ends

    return work


def left(root, log, changes, cut, draw, target):
    """Make in `target` what a power cut leaves after so many changes."""
    model = Model(root)
    for change in log[:changes]:
        model.apply(change)
    put(model.left(cut, draw), target)
    return target


STORES = {"published": make, "sealed": seal, "single files": replace_files}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("cut", CUTS)
def test_what_is_stored_is_there_after_a_power_cut(on_disk, tmp_path, store, cut):
    """Kind: content, name or folder that was not synced when the call returned."""
    root, log, ends = on_disk(lambda folder: store(folder, OLD), lambda folder: store(folder, NEW))
    for files, end in zip((OLD, NEW), ends, strict=True):
        found = left(root, log, end, cut, random.Random(0), tmp_path / f"after {end}") / "it"
        assert {name: (found / name).read_bytes() for name in files} == files
        if store is not replace_files:
            assert durable.read_folder(found) == files


@pytest.mark.parametrize("store", [make, seal])
@pytest.mark.parametrize("cut", CUTS)
def test_a_folder_is_whole_at_any_moment_or_not_there(on_disk, tmp_path, store, cut):
    """Kind: a name that appears before its content; also while it replaces another."""
    root, log, _ = on_disk(lambda folder: store(folder, OLD), lambda folder: store(folder, NEW))
    seen = []
    for end in range(len(log) + 1):
        found = left(root, log, end, cut, random.Random(end), tmp_path / f"after {end}") / "it"
        assert not found.exists() or durable.read_folder(found) in (OLD, NEW)
        seen.append(found.exists())
    assert seen[-1] and not seen[0]


@pytest.mark.parametrize("cut", CUTS)
def test_a_file_is_the_old_one_or_the_new_one_at_any_moment(on_disk, tmp_path, cut):
    """Kind: a file that is written in place."""
    root, log, ends = on_disk(
        lambda folder: replace_files(folder, OLD), lambda folder: replace_files(folder, NEW)
    )
    for end in range(ends[0], len(log) + 1):
        found = left(root, log, end, cut, random.Random(end), tmp_path / f"after {end}") / "it"
        for name in OLD:
            assert (found / name).read_bytes() in (OLD[name], NEW[name])


@pytest.mark.parametrize("cut", ["synced", "named"])
def test_what_is_discarded_does_not_come_back(on_disk, tmp_path, cut):
    """Kind: a checkpoint that is there again after the power was cut, in part."""
    root, log, ends = on_disk(
        lambda folder: make(folder, OLD), lambda folder: durable.discard(folder / "it")
    )
    found = left(root, log, ends[1], cut, random.Random(0), tmp_path / "after")
    assert not (found / "it").exists()
    for end in range(ends[0], ends[1]):
        part = left(root, log, end, cut, random.Random(0), tmp_path / f"after {end}") / "it"
        assert not part.exists() or durable.read_folder(part) == OLD


def test_deep_folders_are_there_to_the_top(on_disk, tmp_path):
    root, log, ends = on_disk(lambda folder: durable.make_folder(folder / "a" / "b" / "c"))
    found = left(root, log, ends[0], "synced", random.Random(0), tmp_path / "after")
    assert (found / "a" / "b" / "c").is_dir()


def test_a_sweep_deletes_hidden_files_and_nothing_else(tmp_path):
    (tmp_path / ".left-1").mkdir()
    (tmp_path / ".left-1" / "x").write_text("x")
    (tmp_path / ".left-2").write_text("x")
    (tmp_path / "kept").write_text("x")
    durable.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda path: path.unlink(), HalfMadeError),
        (lambda path: path.write_bytes(b""), HalfMadeError),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), DamagedError),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), DamagedError),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), DamagedError),
    ],
)
@pytest.mark.parametrize("name", ["folder/a", f"folder/{durable.SUMS}", "sealed", "checked"])
def test_damage_is_noticed(tmp_path, spoil, error, name):
    """Kind: missing, empty, cut, changed, longer; in every form in which something is stored."""
    durable.write_folder(tmp_path / "folder", NEW)
    durable.write(tmp_path / "sealed", durable.sealed(b"content"))
    durable.write(tmp_path / "checked", b"content")
    read = {
        "sealed": lambda: durable.read_sealed(tmp_path / "sealed"),
        "checked": lambda: durable.read_checked(tmp_path / "checked", durable.sha256(b"content")),
    }.get(name, lambda: durable.read_folder(tmp_path / "folder"))
    read()
    spoil(tmp_path / name)
    with pytest.raises(DamagedError) as raised:
        read()
    if name != "checked":  # a checked file may be empty
        assert isinstance(raised.value, HalfMadeError) == (error is HalfMadeError)
    assert not durable.is_whole(tmp_path / "folder") or not name.startswith("folder")


def report(folder):
    """Write a report."""
    cells = [make_cell(), make_cell(8.0, schedule="pipelined")]
    write_report(make_frames(*cells), folder / "it", "A report")


def frames(folder):
    """Write the frames beside a published report."""
    published.write(make_frames(make_cell(), make_cell(8.0, seed=1)), folder / "it", "A report")


def build(folder):
    """Make a build for the simulated board."""
    make_simulated(folder / "it", Parameters(lanes=16))


@pytest.mark.parametrize("store", [report, frames, build])
def test_whatever_is_said_to_be_written_is_on_the_disk(on_disk, tmp_path, store):
    """Kind: a file that is written past this module, and is empty after a power cut."""
    root, log, ends = on_disk(store)
    found = left(root, log, ends[0], "synced", random.Random(0), tmp_path / "after") / "it"
    names = {path.name for path in (root / "it").iterdir()}
    assert len(names) >= 2
    assert {name: (found / name).read_bytes() for name in names} == {
        name: (root / "it" / name).read_bytes() for name in names
    }
