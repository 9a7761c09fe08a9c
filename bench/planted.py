"""Faults that are planted in a copy of the sources, to see that a test catches them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY

TESTS_FAILED = 1
"""Exit code of pytest; other positive ones say that nothing was tested."""
COPIED = ("host", "tests", "bench", "reports", "README.md")


class Fault(NamedTuple):
    """A fault and the test that must catch it.

    Attributes:
        path: of the file.
        old: what stands there, once.
        new: what it is changed to.
        caught_by: the test, as pytest names it.
    """

    path: str
    old: str
    new: str
    caught_by: str


def check_caught(fault: Fault, folder: Path) -> None:
    """Plant a fault in a copy in an empty folder; its test must fail, or crash."""
    _copy(folder)
    file = folder / fault.path
    text = file.read_text()
    assert text.count(fault.old) == 1, f"{fault.path}: the place of this fault is not there"
    file.write_text(text.replace(fault.old, fault.new))
    code, said = _run_test(folder, fault.caught_by)
    assert code == TESTS_FAILED or code < 0, said


def check_sound(test: str) -> None:
    """Run a test where no fault is; it must pass."""
    code, said = _run_test(REPOSITORY, test)
    assert code == 0, said


def _copy(folder: Path) -> None:
    """Make a copy of the repository whose sources can be changed."""
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc")
    for path in REPOSITORY.iterdir():
        if path.name not in COPIED:
            if not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        elif path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=skipped)
        else:
            shutil.copy(path, folder / path.name)


def _run_test(folder: Path, test: str) -> tuple[int, str]:
    """Return how pytest ends, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", test],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "host")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
