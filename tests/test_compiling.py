"""What was compiled is kept, whole or not at all."""

import pytest
from filelock import FileLock

from specbp import durable
from specbp.compiling import Compiler, ToolError, cached, find_compiler


def test_a_build_is_made_once(monkeypatch, tmp_path):
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path))
    made = []

    def make(folder):
        made.append(folder)
        (folder / "it").write_text("made")
        return folder / "it"

    for _ in range(2):
        assert cached("it", make).read_text() == "made"
    assert len(made) == 1 and not made[0].exists()


def test_a_build_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path))

    def make(folder):
        (folder / "half").touch()
        raise ToolError("no")

    with pytest.raises(ToolError):
        cached("it", make)
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".it")] == []


def test_the_compiler_that_is_asked_for_is_taken(monkeypatch):
    monkeypatch.setenv("CXX", "g++ -fno-strict-aliasing")
    found = find_compiler()
    assert isinstance(found, Compiler) and found.command == ("g++", "-fno-strict-aliasing")


def spoil_content(entry):
    content = bytearray((entry / "it.so").read_bytes())
    content[len(content) // 2] ^= 1
    (entry / "it.so").write_bytes(content)


DAMAGE = {
    "flipped": spoil_content,
    "empty": lambda entry: (entry / "it.so").write_bytes(b""),
    "missing": lambda entry: (entry / "it.so").unlink(),
    "without checksums": lambda entry: (entry / durable.SUMS).unlink(),
    "of another file": lambda entry: (entry / "it.so").write_bytes(b"other"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_build_is_made_again(monkeypatch, tmp_path, damage):
    """Kind: machine code that a power cut or a full disk left in part, and that would be loaded."""
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path))
    made = []

    def make(folder):
        made.append(folder)
        (folder / "x").write_text("machine code")
        return folder / "x"

    path = cached("it.so", make)
    DAMAGE[damage](path.parent)
    assert cached("it.so", make).read_text() == "machine code"
    assert len(made) == 2


def test_what_killed_builds_left_is_deleted_by_the_next_and_no_more(monkeypatch, tmp_path):
    """Kind: gigabytes of half-made builds; but what another process is making stays."""
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path))
    for name in ("killed", "running"):
        (tmp_path / f".build-{name}" / "made").mkdir(parents=True)

    def make(folder):
        (folder / "x").write_text("made")
        return folder / "x"

    with FileLock(tmp_path / ".running.lock"):
        cached("it.so", make)
    assert [path.name for path in tmp_path.glob(".build-*")] == [".build-running"]
