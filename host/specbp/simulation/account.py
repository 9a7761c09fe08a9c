"""The account of a simulated board: a home folder in which the commands of a board work.

What a board has and this machine has not lies in the account's `bin`: sudo, which asks for a
password, and a python3 whose pynq finds the simulated device. All else - bash, coreutils, the files
that are deployed - is real.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from specbp.boards.board import board_named
from specbp.compiling import cache_folder

PACKAGE = Path(__file__).parents[1]

SUDO = """#!/bin/bash
# As sudo: -n asks nobody; -S reads the password from standard input, at most three times, after
# the prompt of -p. Where .sudo-free is, the runner needs no password, but other commands do.
if [ "$1" = -n ]; then echo "sudo: a password is required" >&2; exit 1; fi
prompt=$3
shift 4
if [ -e "$HOME/.sudo-free" ]; then exec "$@"; fi
for attempt in 1 2 3; do
    printf %s "$prompt" >&2
    IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
    if [ "$password" = "$(cat "$HOME/.sudo-password")" ]; then exec "$@"; fi
    echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
"""

PYTHON = """#!/bin/bash
# /run/specbp is the board's own; here it lies in the account.
case $1 in *.pyz) set -- "$@" --state "$HOME/run" ;; esac
PYTHONPATH={site} exec {python} "$@"
"""

ID = """#!/bin/bash
# The account is not root, whoever serves it.
[ "$1" = -u ] && echo 1000 || exec /usr/bin/id "$@"
"""

DEVICE = """\
# Python reads this when it starts: pynq finds a simulated device where it looks for one.
import sys

PACKAGE, NAME, MEMORY_BYTES = {package!r}, {name!r}, {memory_bytes!r}


def changed(device):
    return device


def open_devices():
    # The runner brings its own modules; the simulation's come from the package.
    import specbp, specbp.boards, specbp.overlay

    specbp.__path__.append(PACKAGE)
    specbp.boards.__path__.append(PACKAGE + "/boards")
    specbp.overlay.__path__.append(PACKAGE + "/overlay")
    from specbp.simulation.programmable import ProgrammableDevice

    return [changed(ProgrammableDevice(memory_bytes=MEMORY_BYTES, name=NAME))]


if any(argument.endswith("runner.pyz") for argument in sys.orig_argv):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynq.pl_server.device import Device

    class Board(Device):
        _probe_priority_ = 0

        @classmethod
        def _probe_(cls):
            return open_devices()
"""


class Account:
    """A home folder, and what its commands find.

    Args:
        folder: folder in which it is made; what an account left there before stays.
        board: name of the simulated board.
        sudo_password: password that `sudo` takes.
        memory_bytes: memory of the board, bytes.

    Attributes:
        home: home folder of the account.
        binaries: the text of each program in `bin`.
        site: folder of what Python reads at its start.
    """

    def __init__(
        self, folder: Path, board: str, sudo_password: str, memory_bytes: int = 64 << 20
    ) -> None:
        self.home, self.site = folder / "home", folder / "site"
        self._image_name = board_named(board).image
        self.binaries = {
            "sudo": SUDO,
            "python3": PYTHON.format(site=self.site, python=sys.executable),
            "id": ID,
        }
        for made in (self.home / "bin", self.site):
            made.mkdir(parents=True, exist_ok=True)
        device = DEVICE.format(package=str(PACKAGE), name=board, memory_bytes=memory_bytes)
        (self.site / "sitecustomize.py").write_text(device)
        for name, text in self.binaries.items():
            self.program(name, text)
        self.set_sudo_password(sudo_password)

    def set_sudo_password(self, password: str) -> None:
        """Make `password` what `sudo` takes."""
        path = self.home / ".sudo-password"
        path.touch(0o600)
        path.write_text(password)

    def program(self, name: str, text: str) -> None:
        """Make `text` what a command of the account does."""
        path = self.home / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of its commands."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:/usr/bin:/bin",
            "BOARD": self._image_name,
            "SPECBP_CACHE": os.environ.get("SPECBP_CACHE", str(cache_folder())),
        }
