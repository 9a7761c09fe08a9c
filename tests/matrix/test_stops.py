"""Whatever happens between two changes of a file: nothing that was stored is lost, and the same
command gives what an undisturbed run gives, in every column."""

import random

import pytest

from tests.disk import CUTS, Disk, Model, put
from tests.forked import start_forked
from tests.matrix.scripted import REPEATS, differ, frames, run, run_until
from tests.mounted import make_image, mounted, power_cut


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder in which the matrix ran, its changes, its frames, and its number of steps."""
    folder = tmp_path_factory.mktemp("undisturbed") / "results"
    disk = Disk(fsync=False)
    steps = run(folder, disk)
    return folder, disk.log, frames(folder), steps


def test_the_matrix_has_everything_that_can_go_wrong(undisturbed):
    _, log, (runs, epochs, steps), _ = undisturbed
    assert sorted(runs["status"]) == ["failed"] * REPEATS + ["ok"] * 2 * REPEATS
    assert runs["session"].nunique() == REPEATS
    assert runs["bound"].notna().any() and runs["over_passes_ms"].notna().any()
    assert len(epochs) == 4 * REPEATS and len(steps) == 12 * REPEATS
    assert {change[0] for change in log} == {
        "create", "write", "fsync", "replace", "mkdir", "remove"
    }  # fmt: skip


def test_stopped_at_any_change_of_a_file_it_goes_on_as_if_never_stopped(undisturbed, tmp_path):
    """A process that ends, by any signal, at any time: also between two cells of a comparison."""
    _, log, expected, all_steps = undisturbed
    for first in range(0, len(log), 4):
        changes = range(first, min(first + 4, len(log)))
        folders = {change: tmp_path / str(change) for change in changes}
        children = [start_forked(run_until, folders[change], change) for change in changes]
        for child in children:
            child.join(60)
            assert child.exitcode == 9
        for change, folder in folders.items():
            steps = run(folder)
            assert differ(frames(folder), expected) == [], f"stopped at {change}: {log[change]}"
            assert steps <= all_steps
            assert not [*folder.glob("unfinished/*"), *folder.glob("cells/.*")]


@pytest.mark.parametrize("cut", CUTS)
def test_a_power_cut_at_any_change_of_a_file_loses_nothing_that_was_stored(
    undisturbed, tmp_path, cut
):
    """A file system that loses what was not synced, keeps the names without it, or any part."""
    folder, log, expected, all_steps = undisturbed
    draw = random.Random(cut)
    model, seen = Model(folder.parent), set()
    for number, change in enumerate(log):
        left = model.left(cut, draw)
        if repr(left) not in seen:
            seen.add(repr(left))
            put(left, tmp_path / str(number))
            again = tmp_path / str(number) / folder.name
            steps = run(again)
            where = f"power cut at {number}: {change}"
            assert differ(frames(again), expected) == [], where
            assert steps <= all_steps, where
        model.apply(change)
    assert len(seen) > 20


def test_what_is_stored_survives_a_power_cut(undisturbed, tmp_path):
    """Of the last change on, nothing is left to do: no step is trained again."""
    folder, log, expected, _ = undisturbed
    left_synced(folder, log, len(log), tmp_path / "after")
    after = tmp_path / "after" / folder.name
    assert (after / "format.json").read_bytes() == (folder / "format.json").read_bytes()
    assert differ(frames(after), expected) == []
    assert run(after) == 0


def test_a_real_file_system_keeps_what_the_model_disk_says(undisturbed, tmp_path):
    """Kind: a system call that the model takes for a promise, and a file system does not."""
    folder, log, expected, _ = undisturbed
    for number, change in enumerate([*range(7, len(log), len(log) // 5), None]):
        image, left = (tmp_path / f"{name}-{number}" for name in ("image", "left"))
        make_image(image)
        with mounted(image, tmp_path / f"before-{number}") as disk:
            child = start_forked(run_until, disk / folder.name, change, True)
            child.join(60)
            assert child.exitcode == (0 if change is None else 9)
            power_cut(image, left)
        left_synced(folder, log, len(log) if change is None else change, tmp_path / f"{number}")
        most = run(tmp_path / str(number) / folder.name)
        with mounted(left, tmp_path / f"after-{number}") as disk:
            steps = run(disk / folder.name)
            assert differ(frames(disk / folder.name), expected) == [], change
        assert steps <= most, change


def left_synced(folder, log, changes, target):
    """Make what is left of so many changes where nothing was kept but what was synced."""
    model = Model(folder.parent)
    for change in log[:changes]:
        model.apply(change)
    put(model.left("synced", random), target)
