"""Memory of long runs: it levels off, over the cells of a large matrix and over many steps.

SPECBP_CELLS says how many cells, 2,000 unless set, and SPECBP_STEPS how many steps, 20,000; each
kind of training has a process of its own, whose resident memory is read as it goes on.
"""

import json
import os
import subprocess
import sys

import pytest

CELLS = int(os.environ.get("SPECBP_CELLS", "2000"))
STEPS = int(os.environ.get("SPECBP_STEPS", "20000"))
SAMPLES = 20
MOST_GROWTH_MIB = 6.0
"""From the first half to its end; the allocators have what they need by then."""

KINDS = {
    "sequential": {},
    "speculative": {"schedule": "speculative", "reuse": "replay"},
    "pipelined": {"schedule": "pipelined"},
    "simulated": {"backend": "sim:rtl", "train": 8, "test": 8},
}
TRAIN = """
import gc, json, sys, tempfile
from pathlib import Path
import psutil
from specbp.matrix.run import dataset_reader
from specbp.experiment import experiment_from
from specbp.matrix.expand import Cell
from specbp.matrix.run import backend_opener, run_cells
from specbp.matrix.store import Store

class Nobody:
    def began(self, *_): pass
    def advanced(self, *_): pass
    def finished(self, cell, run): assert run["status"] == "ok", run["reason"]

fields, cells, steps, samples = json.loads(sys.argv[1])
opener, process, sizes = backend_opener(dataset_reader(None)), psutil.Process(), []

def sample():
    gc.collect()
    sizes.append(process.memory_info().rss)

if cells:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "results")
        for seed in range(cells):
            experiment = experiment_from(fields | {"seed": seed}, "bench")
            run_cells([Cell("memory", 0, experiment)], store, opener, Nobody())
            if seed % max(1, cells // samples) == 0:
                sample()
else:
    training = opener(experiment_from(fields, "bench"))
    for _ in range(samples):
        training.advance(steps // samples)
        sample()
print(json.dumps(sizes))
"""


def sizes(fields, cells, steps):
    """Return the resident memory, bytes, `SAMPLES` times from the start to the end."""
    small = {"dataset": "digits", "model": "digits-cnn", "train": 64, "test": 16, "batch_size": 8}
    arguments = json.dumps([small | fields, cells, steps, SAMPLES])
    ran = subprocess.run(
        [sys.executable, "-c", TRAIN, arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def check(found):
    half = len(found) // 2
    grown = (found[-1] - found[half]) / 2**20
    print(f"{found[0] / 2**20:.1f}, {found[half] / 2**20:.1f}, {found[-1] / 2**20:.1f} MiB")
    assert grown < MOST_GROWTH_MIB, [round(size / 2**20, 1) for size in found]


@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_over_the_cells_of_a_matrix(fields):
    check(sizes({"epochs": 1} | fields, CELLS, 0))


@pytest.mark.parametrize("fields", [KINDS["sequential"], KINDS["speculative"]], ids=list(KINDS)[:2])
def test_over_the_steps_of_a_training(fields):
    check(sizes({"epochs": 10_000} | fields, 0, STEPS))
