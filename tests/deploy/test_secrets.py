"""Passwords are nowhere: no output, error, log, frame, command line, or file, whatever fails."""

import contextlib
import logging
import os
import threading
from pathlib import Path

import pytest

from specbp.deploy import pool
from specbp.deploy.connection import Deadlines
from specbp.deploy.failure import BoardError
from specbp.doctor.board import examine
from tests.deploy.conftest import deployed, on
from tests.deploy.loopback import LOGIN, SUDO, SUDO_SCRIPT
from tests.deploy.test_training import run_matrix
from tests.forked import run_forked

SECRETS = (LOGIN, SUDO)


def leaks(text):
    return [secret for secret in SECRETS if secret in text]


class _Processes:
    """Looks at the command lines of all processes while in here.

    Attributes:
        seen: those that hold a secret.
        count: of command lines that were looked at.
    """

    def __init__(self):
        self.seen, self.count = [], 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self):
        while not self._end.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    text = path.read_bytes().decode(errors="replace")
                    self.count += 1
                    self.seen += leaks(text)


@pytest.fixture
def watched(bare_board, capfd, caplog):
    """A board; afterwards nothing that was said or started has held a secret."""
    caplog.set_level(logging.DEBUG)
    del bare_board.commands[:]
    with _Processes() as processes:
        yield bare_board
    output = capfd.readouterr()
    assert not leaks(output.out + output.err) and not leaks(caplog.text)
    assert processes.count > 0 and not processes.seen
    assert bare_board.commands and not any(map(leaks, bare_board.commands))
    for path in bare_board.home.rglob("*"):
        if path.is_file() and path.name != ".sudo-password":
            assert not leaks(path.read_bytes().decode(errors="replace")), path


ECHO = """#!/bin/bash
prompt=$3
shift 4
printf %s "$prompt" >&2
IFS= read -r password
"""
FAILURES = {
    "wrong": None,
    "echoed": ECHO + 'echo "sudo: $password is wrong" >&2; exit 1\n',
    "echoed as the answer": ECHO + 'echo "$password $password $password"; exit 1\n',
    "echoed as a broken answer": ECHO + "printf 'SBP1\\x14\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'; "
    'echo "$password $password"; exit 1\n',
    "asked again": ECHO + 'printf %s "$prompt" >&2; sleep 5; exit 1\n',
    "echoed and asked again": ECHO + 'printf "$password$prompt" >&2; sleep 5; exit 1\n',
    "not allowed": ECHO + 'echo "Sorry, user xilinx is not allowed" >&2; exit 1\n',
    "in an error": ECHO
    + """export password
exec python3 -c '
import json, os, struct, sys
said = os.environ["password"]
text = json.dumps({"ok": False, "error": "no " + said, "kind": said, "arrays": []})
sys.stdout.buffer.write(struct.pack("<4sIQ", b"SBP1", len(text), 0) + text.encode())
'
""",
}


@pytest.mark.parametrize("how", FAILURES)
def test_failures_do_not_tell(watched, builds, how):
    """However sudo and what it starts behave with a password, even where they repeat it."""
    if how == "wrong":
        (watched.home / ".sudo-password").write_text("another")
    else:
        watched.program("sudo", FAILURES[how])
    with pytest.raises(BoardError) as refused:
        deployed(watched, builds[0], Deadlines(start=20))
    text = repr(refused.value) + repr(refused.value.__cause__) + str(refused.value)
    assert not leaks(text)
    if how in ("wrong", "asked again", "echoed and asked again"):
        assert "sudo did not take the password" in text


def test_sudo_that_needs_none_gets_none(watched, builds):
    """Where `sudo -n true` fails, the command itself may need none: the runner would read it."""
    (watched.home / ".sudo-free").touch()
    assert deployed(watched, builds[0]).switched


def test_the_password_goes_to_sudo_alone(watched, builds):
    """What sudo starts gets none of it: its input begins with the first request."""
    seen = watched.home / "seen"
    watched.program("sudo", SUDO_SCRIPT.replace('exec "$@"', f'tee {seen} | "$@"; exit'))
    assert deployed(watched, builds[0]).switched
    assert seen.read_bytes().startswith(b"SBP1")


@pytest.mark.parametrize("wrong", [False, True])
def test_commands_and_their_results(watched, builds, tmp_path, wrong):
    environment = os.environ | watched.environment
    if wrong:
        (watched.home / ".sudo-password").write_text("another")
    for words in (
        ["doctor", watched.address, "--json"],
        ["deploy", watched.address, "--build", str(builds[0])],
        ["deploy", watched.address, "--rollback"],
    ):
        done = run_forked(["specbp", "board", *words], tmp_path, environment)
        assert not leaks(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr


def test_frames_of_a_board_that_fails(watched, builds, tmp_path, monkeypatch):
    """The reason of a failed cell is kept with the results."""
    from specbp.datasets.loading import load

    deployed(watched, builds[0])
    watched.program("sudo", FAILURES["echoed"])
    frames = run_matrix(
        tmp_path / "results", [f"pynq://{watched.address}"], load("digits", train=48, test=20)
    )
    pool.close_boards()
    assert set(frames.runs["status"]) == {"failed"}
    assert "is wrong" in frames.runs["reason"].iloc[0]
    assert not leaks(frames.runs.to_csv())
    for path in (tmp_path / "results").rglob("*"):
        assert path.is_dir() or not leaks(path.read_bytes().decode(errors="replace"))


def test_a_login_that_fails(watched):
    for words in ("another", LOGIN + "x"):
        with pytest.raises(BoardError) as refused:
            on(watched, examine, environment={"SPECBP_BOARD_PASSWORD": words})
        assert words not in str(refused.value)
    assert on(watched, examine)
