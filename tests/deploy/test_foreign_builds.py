"""A build that someone else made runs nothing of its own, and writes nothing elsewhere."""

import contextlib
import hashlib
import json
import os
import pty
import shutil

import pytest

from specbp.bitstream import origin
from specbp.deploy import archive
from specbp.deploy.contents import Version, version_of
from specbp.errors import UsageError
from specbp.onboard.build import MANIFEST, open_build
from tests.deploy.conftest import deployed, on
from tests.forked import run_forked


@pytest.fixture
def foreign(builds, tmp_path):
    """A build that this machine did not make."""
    folder = shutil.copytree(builds[0], tmp_path / "foreign")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "tool": "Vivado\x1b[2J [red]2022.1"}))
    return folder


def evil(folder, name):
    """Put a program into a build, and let its manifest name it."""
    path = folder / name
    content = f"open({str(folder / 'ran')!r}, 'w')\n".encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "name", ["runner.pyz", "../outside/authorized_keys", "sub/../../outside/x", "sitecustomize.py"]
)
def test_what_a_manifest_adds_is_refused(bare_board, foreign, name):
    """A runner of its own, files elsewhere, what Python would import."""
    evil(foreign, name)
    with pytest.raises(UsageError, match="files"):
        deployed(bare_board, foreign)
    assert bare_board.uploaded == 0
    assert not (bare_board.home / "specbp").exists()


def test_what_lies_beside_a_build_stays_here(bare_board, foreign):
    for name in ("runner.pyz", "specbp.dtbo", "sitecustomize.py"):
        (foreign / name).write_text(f"open({str(foreign / 'ran')!r}, 'w')\n")
    done = deployed(bare_board, foreign)
    folder = bare_board.home / "specbp" / "versions" / done.version
    there = {path.name for path in folder.iterdir()} - {"__pycache__"}
    assert there == set(version_of(foreign).files)
    assert (folder / archive.NAME).read_bytes() == archive.archive()
    assert not (foreign / "ran").exists()


def test_the_board_checks_too(board, foreign):
    """What lies in a version there is looked at again, for it may have been changed since."""
    version = version_of(foreign)
    manifest = json.loads(version.files[MANIFEST])
    manifest["files"]["../../lock"] = "0" * 64
    spoiled = Version(
        open_build(foreign), {**version.files, MANIFEST: json.dumps(manifest).encode()}
    )
    from specbp.deploy.deploying import DeploymentListener, deploy
    from specbp.deploy.failure import BoardError

    before = board.current
    with pytest.raises(BoardError, match="damaged, or no manifest: files"):
        on(board, lambda connection: deploy(connection, spoiled, DeploymentListener()))
    assert board.current == before


def test_whose_build_it_is_and_what_comes_now(bare_board, foreign, builds, tmp_path):
    """Scripts go on; what they print says it. Nothing in the maker's words acts on a terminal."""
    environment = os.environ | bare_board.environment
    command = ["specbp", "board", "deploy", bare_board.address, "--build"]
    done = run_forked([*command, str(foreign)], tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert "made by someone else, with Vivado\\x1b[2J [red]2022.1 for simulated" in done.stderr
    assert "runner programs the FPGA as root" in done.stderr
    assert "only if you trust its maker" in done.stderr and "\x1b" not in done.stderr
    assert hashlib.sha256((foreign / MANIFEST).read_bytes()).hexdigest() in done.stderr
    done = run_forked([*command, str(builds[1])], tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert "made on this machine" in done.stderr and "trust" not in done.stderr


@pytest.mark.parametrize("typed", [b"n\n", b"\n", b"y\n"])
def test_in_a_terminal_you_are_asked(foreign, monkeypatch, tmp_path, typed):
    """Only for a build of someone else, and not with --yes."""
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "cache"))
    import typer

    from specbp.cli.board import _announce

    version = version_of(foreign)
    terminal, other = pty.openpty()
    with os.fdopen(other, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        agreed = contextlib.nullcontext() if typed == b"y\n" else pytest.raises(typer.Abort)
        os.write(terminal, typed)
        with agreed:
            _announce(version, "board", False)
        _announce(version, "board", True)
        origin.remember(version.build)
        _announce(version, "board", False)
    os.close(terminal)


def test_a_machine_without_a_cache_remembers_nothing(foreign, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPECBP_CACHE", str(tmp_path / "file"))
    build = open_build(foreign)
    origin.remember(build)
    assert not origin.made_here(build)
