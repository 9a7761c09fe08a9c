"""What the benchmarks share: data of the right shape, and trainings on it."""

import pytest

from specbp.backends.cpu.training import CpuTraining
from specbp.datasets.loading import load
from specbp.experiment import experiment_from

CIFAR_LIKE = {
    "dataset": "random:3x32x32/100",
    "train": 2560,
    "test": 100,
    "model": "cifar-cnn",
    "learning_rate": 0.001,
    "epochs": 1000,
}
"""Random images of CIFAR-100's shape: the time of a step does not depend on what is in them."""


@pytest.fixture(scope="session")
def cifar_like():
    return load(CIFAR_LIKE["dataset"], train=CIFAR_LIKE["train"], test=CIFAR_LIKE["test"])


@pytest.fixture
def open_training(cifar_like):
    """Makes a training of `cifar-cnn` on random images; ended with the benchmark."""
    opened = []

    def open_one(**fields):
        training = CpuTraining(experiment_from(CIFAR_LIKE | fields), cifar_like)
        opened.append(training)
        return training

    yield open_one
    for training in opened:
        training.close()
