"""Runs the command line in processes of their own that have imported everything already.

Importing takes longer than most commands do. What is forked is a server that has only imported,
so that no thread and no state of a test is in it.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.imported"])


class Done(NamedTuple):
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


def run_forked(command, folder, environment, timeout=900):
    """Run ``specbp ...`` in `folder` to its end.

    Args:
        command: its words; the first is "specbp".
        folder: to run in.
        environment: of the process.
        timeout: in seconds.
    """
    with tempfile.TemporaryDirectory() as made:
        files = [Path(made) / name for name in ("output", "error")]
        process = start_command(command, folder, environment, *files)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{command} did not end within {timeout} s")
        return Done(process.exitcode, *(path.read_text() for path in files))


def start_command(command, folder, environment, output, error):
    """Start ``specbp ...`` in `folder` and return the process.

    Args:
        command: its words; the first is "specbp".
        folder: to run in.
        environment: of the process.
        output: file that takes its standard output.
        error: file that takes its standard error.
    """
    assert command[0] == "specbp"
    return start_forked(_command, command, str(folder), environment, str(output), str(error))


def start_forked(function, *arguments):
    """Start a function of a module in a process of its own, and return the process."""
    process = SERVER.Process(target=function, args=arguments)
    process.start()
    return process


def _command(command, folder, environment, output, error):
    for number, path in enumerate((os.devnull, output, error)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    # Python's own streams of the server may be closed, or have a buffer of something else.
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command

    from specbp.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
