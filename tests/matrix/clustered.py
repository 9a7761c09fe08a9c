"""A scripted matrix on a cluster of local workers, which are killed; `bench` does it for longer."""

import os
import time
from functools import partial
from pathlib import Path

import psutil

from specbp.matrix.cluster import Cluster
from specbp.matrix.cluster_choice import ClusterChoice
from specbp.matrix.clusters import connected
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.store import Store
from tests.matrix.scripted import MATRIX, ScriptedTraining, Silent

STEP_S = 0.02
BLOCKS = 6 + 6 + 4
"""Blocks that a comparison trains, of one step each; the third arm fails at its fifth."""


def cells_of(comparisons, timing=False, **base):
    """Return the cells of so many comparisons of three arms, of which one fails."""
    matrix = {**MATRIX, "repeats": comparisons, "timing": timing}
    matrix["base"] = {**MATRIX["base"], "block_steps": 1, **base}
    return expand(matrix_from(matrix, "scripted", "scripted.toml"), "scripted.toml")


def slow(folder, step_s=STEP_S):
    """Return what opens trainings whose steps take a while; each block is noted in `folder`."""

    class Slow(ScriptedTraining):
        def advance(self, steps):
            if steps > 1:  # on a copy that is thrown away
                return super().advance(steps)
            began = time.monotonic()
            time.sleep(step_s)
            rows = super().advance(steps)
            words = (
                f"{began} {time.monotonic()} {os.getpid()} {self._experiment.seed} {self.step}\n"
            )
            with (folder / "blocks").open("a") as file:
                file.write(words)
            return rows

    return Slow


def train(client, folder, cells, opener=None, **options):
    """Train cells with a connection to a cluster; the folder keeps results and notes."""
    store = Store.create(folder / "results")
    with store.locked():
        left = [cell for cell in cells if not store.has(cell.hash)]
        if left:
            opener = opener or partial(slow, folder)
            Cluster(left, store, opener, Silent(), client, 0, **options).run()


def train_at(address, folder, cells):
    """Train cells on the workers of a scheduler, as a command of its own does."""
    with connected(ClusterChoice(scheduler=address)) as client:
        train(client, Path(folder), cells)


def blocks(folder):
    """Return begin, end, process, seed and step of all blocks that were trained."""
    path = folder / "blocks"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(float(one), float(end), *map(int, more)) for one, end, *more in map(str.split, lines)]


def wait_for(condition, seconds=60):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def kill_a_worker(client, draw):
    """Kill one worker that is there, at once; its nanny starts another one."""
    pids = sorted(client.run(os.getpid, on_error="ignore").values())
    if pids:
        psutil.Process(draw.choice(pids)).kill()
    return bool(pids)
