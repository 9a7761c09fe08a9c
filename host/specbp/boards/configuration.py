"""What stands for the logic in a bitstream of the simulated board: the overlay's parameters."""

from __future__ import annotations

import json
from dataclasses import asdict

from specbp.overlay.parameters import Parameters


def configuration(parameters: Parameters) -> bytes:
    """Return the configuration of an overlay with `parameters`: whole words, as pynq wants them."""
    text = json.dumps(asdict(parameters), sort_keys=True).encode()
    return text + b" " * (-len(text) % 4)


def parameters_of_configuration(data: bytes) -> Parameters:
    """Return the parameters in the configuration of the simulation.

    Raises:
        ValueError: this is no configuration of the simulation.
    """
    return Parameters(**json.loads(data))
