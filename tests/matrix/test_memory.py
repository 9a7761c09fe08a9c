"""Peak memory is what a piece of work took, whatever was freed before it."""

import sys

import pytest
import torch

from specbp.backends.cpu.allocator import keep_freed_memory
from specbp.datasets.loading import load
from specbp.matrix.expand import expand, matrix_from
from specbp.matrix.memory import peak_mib
from specbp.matrix.run import backend_opener, run_cells
from specbp.matrix.store import Store
from specbp.matrix.store import load as load_frames
from tests.matrix.scripted import Silent

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts it")


def hold(mib):
    torch.ones(mib << 18).sum()


@linux
@pytest.mark.parametrize("mib", [40, 120])
def test_it_is_the_peak_although_all_is_freed_again(mib):
    """Kind: memory that was there already, kept by the C library, and does not show."""
    keep_freed_memory()
    hold(200)
    for _ in range(2):
        assert peak_mib(lambda: hold(mib)) == pytest.approx(mib, abs=8)


@linux
def test_every_arm_is_charged_with_its_own(tmp_path):
    """Equal resources count threads; a second copy of the activations is memory.

    Larger batches take more, and the arm that is opened first is not charged for data and
    libraries.
    """
    described = {
        "base": {
            "dataset": "random:3x32x32/10", "train": 512, "test": 10, "model": "cifar-cnn-s",
            "batch_size": 128, "epochs": 1, "block_steps": 4,
        },
        "axes": {"arm": [{"schedule": "sequential"}, {"schedule": "pipelined"}]},
    }  # fmt: skip
    cells = expand(matrix_from(described, "memory", ""), "")
    data = load("random:3x32x32/10", train=512, test=10)
    store = Store.create(tmp_path)
    with store.locked():
        run_cells(cells, store, backend_opener(lambda _: data), Silent(), checkpoint_seconds=60)
    runs = load_frames(tmp_path).runs.set_index("schedule")
    assert runs["peak_memory_mib"].between(5, 500).all()
    one, two = (runs.loc[runs["arm"].str.startswith(name)] for name in ("sequential", "pipelined"))
    assert two["peak_memory_mib"].iloc[0] > one["peak_memory_mib"].iloc[0]
