"""Full-size trainings against the plain PyTorch loop of the same recipe; half an hour.

Not part of `tox run -e bench`: `tox run -e bench -- bench/test_agreement.py` runs it.
"""

import os
from pathlib import Path

import pytest

from specbp.datasets.loading import load
from tests.oracle import compare_with_plain_loop

RECIPES = {
    "fashion-mnist": {"model": "lenet5", "epochs": 3, "learning_rate": 0.02},
    "cifar100": {"model": "cifar-cnn", "epochs": 8, "learning_rate": 0.02, "train": 20000},
}


@pytest.mark.parametrize("dataset", RECIPES)
def test_accuracy_agrees_with_a_plain_loop_within_seed_noise(benchmark, dataset):
    fields = RECIPES[dataset] | {"dataset": dataset, "threads": 1}
    data_root = Path(os.environ.get("SPECBP_DATA", "data"))
    loaded = load(dataset, data_root=data_root, train=fields.get("train"))
    agreement = benchmark.pedantic(
        compare_with_plain_loop, args=(loaded, fields, range(3)), rounds=1
    )
    print(f"\n{dataset}: ours {agreement.ours}, plain loop {agreement.plain}")
    benchmark.extra_info |= vars(agreement)
    assert agreement.within_seed_noise
