"""Runs programs on any board that speaks PYNQ.remote, through pynq's own client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.backends.executors import Program, deadline_s
from specbp.errors import SpecbpError
from specbp.onboard.build import open_build, usual_folder
from specbp.overlay import hwh
from specbp.overlay.parameters import Parameters
from specbp.overlay.quiet import pynq_imports

BUILD_VARIABLE = "SPECBP_BUILD"
NO_PROXY = "no_grpc_proxy"
"""gRPC's variable: hosts that it reaches directly."""


class RemoteExecutor:
    """Runs programs on a PYNQ.remote board; see `specbp.backends.executors.Executor`.

    The build to program is the one in the folder `SPECBP_BUILD` names, else the one that
    ``specbp overlay build`` makes for that board.

    Args:
        host: of the board.
        port: of its server.
        parameters: that the programs need.

    Raises:
        SpecbpError: the board does not answer.
        UsageError: there is no build, or it does not fit together.
        BuildMismatchError: its parameters are others.
    """

    def __init__(self, host: str, port: int, parameters: Parameters) -> None:
        with pynq_imports():
            import pynq
            from pynq.pl_server.remote_device import RemoteDevice

            import specbp.overlay.driver  # noqa: F401  registers the driver with pynq

        # gRPC would otherwise look for the board behind the web's proxy.
        os.environ[NO_PROXY] = ",".join(filter(None, (os.environ.get(NO_PROXY), host)))
        try:
            self._device = RemoteDevice(ip_addr=host, port=port)
        except RuntimeError as error:
            raise SpecbpError(
                f"{host}:{port}: no PYNQ.remote board answers there: is it on, and is its server "
                "running? (a simulated one: specbp board serve)"
            ) from error
        build = open_build(_build_folder(str(self._device.name), parameters))
        build.check()
        pynq.Device.active_device = self._device
        forget_clocks()
        self._driver = getattr(
            pynq.Overlay(str(build.bitstream), device=self._device), hwh.INSTANCE
        )
        self._driver.require(parameters)
        self._buffers: list[Any] = []

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as it is set."""
        return float(self._driver.clock_hz) / 1e6

    @property
    def about(self) -> Mapping[str, Any]:
        """What the board calls itself."""
        name = str(self._device.name)
        return {"simulated": name == "simulated", "board": f"{name}, PYNQ.remote"}

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory of the board."""
        buffer = self._driver.allocate(size)
        buffer[:] = 0
        self._buffers.append(buffer)
        return int(buffer.device_address), np.asarray(buffer)

    def run(self, program: Program) -> int:
        """Run `program`."""
        for buffer in self._buffers:
            buffer.flush()
        limit = deadline_s(program.products)
        done = self._driver.run_cores(program.words, self._buffers, limit)
        for buffer in self._buffers:
            buffer.invalidate()
        return max(int(one.cycles) for one in done)

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        self._driver.clear_labels(np.flatnonzero(valid).tolist())

    def push(self) -> None:
        """Do nothing: `run` brings everything."""

    def pull(self) -> None:
        """Do nothing: `run` brings everything back."""

    def close(self) -> None:
        """Give memory and board back."""
        for buffer in self._buffers:
            buffer.freebuffer()
        self._buffers = []
        self._device.client.channel.close()


def _build_folder(board: str, parameters: Parameters) -> Path:
    given = os.environ.get(BUILD_VARIABLE)
    return Path(given) if given else usual_folder(board, parameters)


def forget_clocks() -> None:
    """Let pynq find its clocks again: they belong for ever to the first device they saw."""
    from pynq.ps import Clocks

    if "_real_instance" in vars(Clocks):
        del Clocks._real_instance
    Clocks.device = None
