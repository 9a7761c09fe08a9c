from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from specbp.datasets.files import Source, locate, read_verified, resolve_root
from specbp.errors import UsageError

SOURCE = Source("tiny", "tiny/raw", checksums={}, fetch="get https://example.org -o ROOT/tiny")


def put(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_root_is_the_argument_then_the_variable_then_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECBP_DATA", "/from/variable")
    assert resolve_root(Path("/from/argument")) == Path("/from/argument")
    assert resolve_root(None) == Path("/from/variable")
    monkeypatch.setenv("SPECBP_DATA", "")
    assert resolve_root(None) == tmp_path / "data"
    monkeypatch.delenv("SPECBP_DATA")
    assert resolve_root(None) == tmp_path / "data"


def test_the_root_may_start_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert resolve_root(Path("~/data")) == Path("/home/ada/data")


def test_files_are_located_in_the_order_wanted(tmp_path: Path) -> None:
    b, a = put(tmp_path / "tiny/raw/b"), put(tmp_path / "tiny/raw/a")
    assert locate(SOURCE, tmp_path, ["a", "b"]) == [a, b]


def test_the_first_suffix_that_exists_is_taken(tmp_path: Path) -> None:
    packed = put(tmp_path / "tiny/raw/a.gz")
    assert locate(SOURCE, tmp_path, ["a"], ["", ".gz"]) == [packed]
    plain = put(tmp_path / "tiny/raw/a")
    assert locate(SOURCE, tmp_path, ["a"], ["", ".gz"]) == [plain]


def test_missing_files_are_named_with_place_and_cure_on_one_line(tmp_path: Path) -> None:
    root = tmp_path / "my data"
    put(root / "tiny/raw/there")
    with pytest.raises(UsageError) as caught:
        locate(SOURCE, root, ["there", "a", "b"], ["", ".gz"])
    assert str(caught.value) == (
        f"tiny: no a[.gz], b[.gz] in {root}/tiny/raw: "
        f"fetch with `get https://example.org -o '{root}'/tiny`, "
        "or set SPECBP_DATA or --data-root to the folder that holds tiny/raw"
    )


def test_a_file_with_the_right_checksum_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "file", b"content")
    assert read_verified(path, hashlib.md5(b"content").hexdigest()) == b"content"


@pytest.mark.parametrize("content", [b"c0ntent", b"conten", b"content ", b""])
def test_a_changed_file_is_refused_with_both_checksums(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "file", content)
    expected, found = hashlib.md5(b"content").hexdigest(), hashlib.md5(content).hexdigest()
    with pytest.raises(UsageError) as caught:
        read_verified(path, expected)
    assert str(caught.value) == (
        f"{path}: corrupt or cut short: expected md5 {expected}, found {found} "
        f"({len(content)} bytes): delete it and fetch it again"
    )


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}: cannot be read: Is a directory"):
        read_verified(tmp_path, "")
