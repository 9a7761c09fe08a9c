"""Runs the command line in this process, where a test can change what it meets."""

import signal
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from specbp.cli import main

SECONDS = 120
"""After which a command counts as hanging."""


@contextmanager
def within(seconds):
    """Fail what takes longer."""

    def late(number, frame):
        raise AssertionError(f"still running after {seconds} s")

    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        for one, handler in handlers.items():
            signal.signal(one, handler)


def specbp(*arguments, codes=(0, 1, 2, 3, 4)):
    """Run a command in this process; its exit code must be documented, its failure one line."""
    output, error = StringIO(), StringIO()
    argv, sys.argv = sys.argv, ["specbp", *arguments]
    try:
        with (
            within(SECONDS),
            redirect_stdout(output),
            redirect_stderr(error),
            pytest.raises(SystemExit) as ended,
        ):
            main()
    finally:
        sys.argv = argv
    code, text = ended.value.code, error.getvalue()
    assert code in codes, text
    assert "Traceback" not in text and "unforeseen" not in text, text
    if code:
        assert text.strip().splitlines()[-1].startswith("specbp: "), text
    if code == 2:
        assert len(text.strip().splitlines()) == 1, text
    return code, output.getvalue(), text
