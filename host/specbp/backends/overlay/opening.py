"""Opens trainings on the overlay, and what runs its programs: the simulation, or a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specbp.backends.overlay.training import OverlayTraining
from specbp.backends.record import named_function
from specbp.backends.table import backend_named
from specbp.boards.installed import require_boards, require_simulation
from specbp.deploy.address import REMOTE_PORT, parse_address
from specbp.deploy.fleet import assigned
from specbp.overlay.executors import NamedExecutor, OpenExecutor

# Boards and the simulation are imported where they are used: each needs packages of its own.
if TYPE_CHECKING:
    from specbp.datasets.loading import Dataset
    from specbp.experiment import Experiment


def open_training(experiment: Experiment, dataset: Dataset) -> OverlayTraining:
    """Return the training of `experiment` on the overlay, through its driver.

    Args:
        experiment: what to train, and how.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data or the overlay, or what the backend needs is
            not installed.
    """
    return OverlayTraining(experiment, dataset, executor_opener(experiment.backend))


def executor_opener(backend: str) -> OpenExecutor:
    """Return what opens the executor that `backend` names.

    Raises:
        UsageError: what it needs is not installed.
    """
    opener: OpenExecutor = named_function(backend_named(backend).executor)(backend)
    return opener


def on_simulation(backend: str) -> OpenExecutor:
    """Return what opens the cycle-accurate simulation.

    Raises:
        UsageError: what it needs is not installed.
    """
    require_simulation(backend)
    from specbp.simulation.executor import SimulatedExecutor

    return SimulatedExecutor


def over_ssh(backend: str) -> OpenExecutor:
    """Return what opens the board at ``pynq://[USER@]HOST[:PORT]``.

    Raises:
        UsageError: what it needs is not installed.
    """
    require_boards()
    from specbp.deploy.executor import BoardExecutor
    from specbp.deploy.pool import board_at

    address = parse_address(backend)
    return lambda parameters, _: BoardExecutor(board_at(address), parameters)


def over_pynq_remote(backend: str) -> OpenExecutor:
    """Return what opens the board at ``remote://HOST[:PORT]``.

    Raises:
        UsageError: what it needs is not installed.
    """
    require_simulation(backend)
    from specbp.remote.executor import RemoteExecutor

    remote = parse_address(backend)
    port = remote.port or REMOTE_PORT
    return lambda parameters, _: RemoteExecutor(remote.host, port, parameters)


def in_fleet(backend: str) -> OpenExecutor:
    """Return what opens the board of a fleet that this process was assigned."""
    board = assigned()
    open_executor = executor_opener(board.address)
    return lambda parameters, memory: NamedExecutor(open_executor(parameters, memory), board.name)
