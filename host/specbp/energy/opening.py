"""The meter of whatever trains an experiment."""

from __future__ import annotations

from typing import Any

from specbp.energy.meter import EnergyError, Meter, NoMeter
from specbp.energy.nvml import open_nvml
from specbp.energy.rapl import open_rapl
from specbp.experiment import Experiment

RAILS_RESOLUTION_S = 0.05
"""Of the sensors on a board's rails: their own averaging, and the time to read them."""


def open_meter(experiment: Experiment) -> Meter:
    """Return the meter of the processor, GPU or board that trains `experiment`."""
    backend = experiment.backend
    if experiment.on_fleet:
        from specbp.deploy.fleet import assigned

        backend = assigned().address
    if backend.startswith("pynq://"):
        return _of_board(backend)
    if experiment.on_board:
        return NoMeter("PYNQ.remote has no access to power sensors")
    if experiment.on_overlay:
        return NoMeter("the overlay is simulated: the energy would be that of the simulation")
    if experiment.on_gpu:
        return _of_gpu(experiment.backend)
    return open_rapl()


def _of_gpu(backend: str) -> Meter:
    import torch

    index = int(backend.partition(":")[2] or 0)
    try:
        return open_nvml(str(torch.cuda.get_device_properties(index).uuid))
    except (AttributeError, AssertionError, RuntimeError) as error:
        return NoMeter(f"PyTorch does not say which GPU this is: {error}")


def _of_board(backend: str) -> Meter:
    from specbp.deploy.address import parse_address
    from specbp.deploy.pool import open_board

    board = open_board(parse_address(backend))
    if board is None:
        return NoMeter("the board is not in use")

    def ask() -> dict[str, Any]:
        return board.ask("reading its energy", {"do": "energy"}).header

    def read() -> float:
        found = ask()
        if found["joules"] is None:
            raise EnergyError(found["reason"])
        return float(found["joules"])

    about = ask()
    if about["joules"] is None:
        return NoMeter(about["reason"])
    return Meter(about["source"], {read: 0.0}, RAILS_RESOLUTION_S)
