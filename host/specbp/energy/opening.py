"""Meters of what trains an experiment: each backend's record names one of these functions."""

from __future__ import annotations

from typing import Any

from specbp.backends.record import named_function
from specbp.backends.table import backend_named
from specbp.deploy.address import parse_address
from specbp.deploy.fleet import assigned
from specbp.energy.meter import EnergyError, Meter, NoMeter
from specbp.energy.nvml import open_nvml
from specbp.energy.rapl import open_rapl

RAILS_RESOLUTION_S = 0.05
"""Of the sensors on a board's rails: their own averaging, and the time to read them."""


def open_meter(backend: str) -> Meter:
    """Return the meter of the processor, GPU or board that `backend` names."""
    meter: Meter = named_function(backend_named(backend).meter)(backend)
    return meter


def of_processor(backend: str) -> Meter:
    """Return the meter of this machine's processor."""
    return open_rapl()


def of_gpu(backend: str) -> Meter:
    """Return the meter of the GPU ``cuda:N``."""
    import torch

    index = int(backend.partition(":")[2] or 0)
    try:
        return open_nvml(str(torch.cuda.get_device_properties(index).uuid))
    except (AttributeError, AssertionError, RuntimeError) as error:
        return NoMeter(f"PyTorch does not say which GPU this is: {error}")


def of_simulation(backend: str) -> Meter:
    """Return no meter: what the simulation draws says nothing about the overlay."""
    return NoMeter("the overlay is simulated: the energy would be that of the simulation")


def over_pynq_remote(backend: str) -> Meter:
    """Return no meter: the protocol has none."""
    return NoMeter("PYNQ.remote has no access to power sensors")


def in_fleet(backend: str) -> Meter:
    """Return the meter of the board of a fleet that this process was assigned."""
    return open_meter(assigned().address)


def of_board(backend: str) -> Meter:
    """Return the meter of the rails of the board at ``pynq://[USER@]HOST[:PORT]``."""
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
