"""The board's lock: root writes where nobody else can put a link."""

import os
import stat

import pytest

from specbp.onboard.lock import BusyError, StateFolder, UnsafeFolderError, board_lock


def held(path, who="me"):
    with StateFolder(path) as folder, board_lock(folder, who, 0.0):
        return


def test_folder_and_lock_are_for_their_user_only(tmp_path):
    old = os.umask(0)
    try:
        held(tmp_path / "state")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "state" / "lock").stat().st_mode) == 0o600


def test_the_second_hears_who_has_it_and_no_more_than_that(tmp_path):
    state = tmp_path / "state"
    with (
        StateFolder(state) as folder,
        board_lock(folder, "ada\x1b[2J@lab", 0.0),
        pytest.raises(BusyError) as busy,
    ):
        held(state)
    assert r"in use by ada\x1b[2J@lab: wait" in str(busy.value)
    held(tmp_path / "state")


@pytest.fixture
def victim(tmp_path):
    """A file that only root may change."""
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0\n")
    path.chmod(0o600)
    yield path
    assert path.read_text() == "root:x:0:0\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def links(tmp_path, victim, kind):
    state = tmp_path / "state"
    if kind == "folder":
        (tmp_path / "elsewhere").mkdir()
        state.symlink_to(tmp_path / "elsewhere")
        return
    state.mkdir(mode=0o755)
    lock = state / "lock"
    if kind == "symbolic":
        lock.symlink_to(victim)
    elif kind == "hard":
        os.link(victim, lock)
    elif kind == "dangling":
        lock.symlink_to(tmp_path / "made-by-root")
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        state.chmod(0o777)


@pytest.mark.parametrize("kind", ["folder", "symbolic", "hard", "dangling", "pipe", "writable"])
def test_nothing_is_opened_through_a_link(tmp_path, victim, kind):
    """Whatever another account can prepare where root will write."""
    links(tmp_path, victim, kind)
    with pytest.raises(UnsafeFolderError, match="delete it"):
        held(tmp_path / "state")
    assert not (tmp_path / "made-by-root").exists()
    assert not (tmp_path / "elsewhere" / "lock").exists()


def test_what_was_loaded_is_not_written_through_a_link(tmp_path, victim):
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state" / "loaded.json.new").symlink_to(victim)
    with StateFolder(tmp_path / "state") as folder, pytest.raises(UnsafeFolderError):
        folder.replace("loaded.json", b"{}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to someone else")
def test_a_folder_of_someone_else(tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    os.chown(tmp_path / "state", 1000, 1000)
    with pytest.raises(UnsafeFolderError, match="others than its user"):
        held(tmp_path / "state")
