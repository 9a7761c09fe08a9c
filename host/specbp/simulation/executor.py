"""Runs programs of the overlay on its cycle-accurate simulation, through the real pynq."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from specbp.overlay.executors import DriverExecutor, deadline_s
from specbp.overlay.instructions import Descriptor, encode
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import products_of

if TYPE_CHECKING:
    from specbp.overlay.driver import Run
    from specbp.simulation.build import Kind

SPARE_MEMORY = 1 << 20
"""Bytes beyond tensors and programs that a simulated board has."""


class SimulatedExecutor(DriverExecutor):
    """Runs programs on the Verilated overlay, through pynq and the driver that a board has too.

    Args:
        parameters: parameters of the overlay.
        memory_bytes: for the tensors and programs together.
        delays: yields for each run the cycles that each core waits after the start.
        kind: the build of the model: fast or checked.

    Attributes:
        device: the simulated board.
    """

    def __init__(
        self,
        parameters: Parameters,
        memory_bytes: int,
        delays: Callable[[], Sequence[int]] = tuple,
        kind: Kind = "fast",
    ) -> None:
        from specbp.overlay.quiet import pynq_imports
        from specbp.simulation.simulated import SimulatedDevice

        with pynq_imports():
            import pynq

        self.device = SimulatedDevice(
            parameters, memory_bytes=memory_bytes + SPARE_MEMORY, kind=kind
        )
        overlay = pynq.Overlay(self.device.bitstream, device=self.device)
        super().__init__(overlay.specbp_0, delays)
        self._held_driver.require(parameters)

    @property
    def about(self) -> Mapping[str, Any]:
        """It is simulated, and what its registers say that it is."""
        programmed = self._held_driver.parameters.described
        return {"simulated": True, "board": self.device.name, "programmed": programmed}

    def measure(self, descriptors: Sequence[Descriptor]) -> Run:
        """Run any program on core 0 and return all that the overlay counts."""
        return self._run([encode(descriptors)], deadline_s(products_of(descriptors)))[0]

    def close(self) -> None:
        """End the simulation."""
        self.device.close()

    def _driver(self) -> Any:
        self.device.activate()
        return super()._driver()
