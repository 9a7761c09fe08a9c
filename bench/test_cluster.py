"""A cluster whose workers, scheduler and command are killed gives the frames of one process.

SPECBP_CLUSTER_KILLS_SEED says from which seed the moments are drawn, 0 unless set.
"""

import os
import random
import socket
import subprocess
import sys
import time

import psutil
import pytest

from specbp.matrix.run import run_cells
from specbp.matrix.store import Store
from tests.conftest import REPOSITORY
from tests.matrix.clustered import BLOCKS, blocks, cells_of
from tests.matrix.scripted import ScriptedTraining, Silent, differ, frames

COMPARISONS, WORKERS = 24, 3
KILLS = ("worker",) * 10 + ("scheduler",) * 2 + ("command",) * 2
SEED = int(os.environ.get("SPECBP_CLUSTER_KILLS_SEED", "0"))
BETWEEN_S = (1.0, 6.0)
"""Shortest and longest time between two kills."""


class Site:
    """A scheduler and workers as processes, started again whenever they have ended."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self._folder = folder
        port = self.address.rpartition(":")[2]
        host = ("--host", "127.0.0.1")
        self._words = {
            "scheduler": ("scheduler", *host, "--port", port, "--dashboard-address", ":0"),
            **{
                f"worker {number}": ("worker", self.address, *host, "--nthreads", "1",
                                     "--dashboard-address", ":0", "--death-timeout", "60",
                                     "--local-directory", str(folder / "scratch"))
                for number in range(WORKERS)
            },
        }  # fmt: skip
        self.running = {}

    def keep_up(self):
        """Start what is not running."""
        for name, words in self._words.items():
            if name not in self.running or self.running[name].poll() is not None:
                command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *words[1:]]
                self.running[name] = self.start(command)

    def start(self, command):
        """Start a process whose output goes to the log."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "host")])
        }
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self, what, draw):
        """Kill the scheduler, or what trains below a nanny, or the nanny with it."""
        if what == "scheduler":
            self.running[what].kill()
            return
        nanny = psutil.Process(self.running[f"worker {draw.randrange(WORKERS)}"].pid)
        below = nanny.children(recursive=True)
        draw.choice([nanny, *below]).kill()

    def close(self):
        """Kill everything."""
        for process in self.running.values():
            with_children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in with_children:
                if child.is_running():
                    child.kill()


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path)
    yield found
    found.close()


def test_kills(site, tmp_path):
    cells, draw = cells_of(COMPARISONS), random.Random(SEED)
    store = Store.create(tmp_path / "undisturbed")
    with store.locked():
        run_cells(cells, store, ScriptedTraining, Silent(), 0)
    code = (
        "from tests.matrix.clustered import cells_of, train_at\n"
        f"if __name__ == '__main__':\n    train_at({site.address!r}, {str(tmp_path)!r}, "
        f"cells_of({COMPARISONS}, timing=False))\n"
    )
    (tmp_path / "command.py").write_text(code)
    kills, met, starts, command = list(KILLS), [], 0, None
    draw.shuffle(kills)
    deadline = time.monotonic() + 1500
    next_kill = time.monotonic() + 10
    while time.monotonic() < deadline:
        site.keep_up()
        if command is None or command.poll() is not None:
            if command is not None and command.returncode == 0:
                break
            command = site.start([sys.executable, str(tmp_path / "command.py")])
            starts += 1
        if kills and time.monotonic() > next_kill:
            what = kills.pop()
            if what == "command":
                command.kill()
            else:
                site.kill(what, draw)
            met.append(what)
            next_kill = time.monotonic() + draw.uniform(*BETWEEN_S)
        time.sleep(0.05)
    assert command.returncode == 0, (tmp_path / "log").read_text()[-4000:]
    assert differ(frames(tmp_path / "results"), frames(tmp_path / "undisturbed")) == []
    done = len(blocks(tmp_path))
    print(
        f"{len(met)} kills of {len(KILLS)}: {met}; the command was started {starts} times; "
        f"{done} blocks, {done - COMPARISONS * BLOCKS} of them again"
    )
    assert done - COMPARISONS * BLOCKS <= 3 * WORKERS * len(met)
