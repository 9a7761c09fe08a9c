"""A simulated board that is programmed by bitstream, as a real one is.

What its logic is, the .bit file says (`specbp.boards.configuration`); what lies where, the .hwh
file beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specbp.boards.configuration import parameters_of_configuration
from specbp.errors import SpecbpError
from specbp.onboard import bitfile
from specbp.overlay.parameters import Parameters
from specbp.simulation.simulated import MEMORY_BASE, SimulatedDevice
from specbp.simulation.verilated import Model


class ProgrammableDevice(SimulatedDevice):
    """A simulated board that does what the bitstream downloaded to it says.

    Memory keeps its content when it is programmed anew.
    """

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the logic.

        Raises:
            SpecbpError: this is no bitstream for the simulation.
        """
        content = Path(bitstream.bitfile_name).read_bytes()
        try:
            self.configure(bitfile.parse(content).data)
        except bitfile.BitfileError as error:
            raise SpecbpError(f"{bitstream.bitfile_name}: {error}") from error
        self._programmed(bitstream, parser)

    def configure(self, data: bytes) -> None:
        """Make the logic what the configuration `data` says.

        Raises:
            SpecbpError: it is no configuration of the simulation.
        """
        try:
            parameters = parameters_of_configuration(data)
        except (ValueError, TypeError) as error:
            raise SpecbpError(
                "this bitstream is not for the simulated board: "
                f"specbp overlay build --board {self.name}"
            ) from error
        self._become(parameters)

    def _handoff(self, bitfile_name: str) -> str:
        """Return where the hardware handoff beside a bitstream is."""
        return str(Path(bitfile_name).with_suffix(".hwh"))

    def _become(self, parameters: Parameters) -> None:
        if parameters == self.model.parameters:
            self.model.reset()
            return
        before = self.model
        self.model = Model(parameters, len(before.memory), MEMORY_BASE)
        self.model.memory[:] = before.memory
        before.close()
        self._memory.use(self.model.memory)
        self._peripherals[self.board.base] = self.model
        # pynq holds on to the waiting room.
        self._waiting.model = self.model
        self._clock_changed()
