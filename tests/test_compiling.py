"""What was compiled is kept, whole or not at all."""

import pytest

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
