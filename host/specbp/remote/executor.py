"""Runs programs on any board that speaks PYNQ.remote, through pynq's own client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specbp.backends.executors import DriverExecutor
from specbp.errors import SpecbpError
from specbp.onboard.build import open_build, usual_folder
from specbp.overlay import hwh
from specbp.overlay.parameters import Parameters
from specbp.overlay.quiet import pynq_imports

BUILD_VARIABLE = "SPECBP_BUILD"
NO_PROXY = "no_grpc_proxy"
"""gRPC's variable: hosts that it reaches directly."""


class RemoteExecutor(DriverExecutor):
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
            from specbp.overlay.clocks import forget_clocks

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
        overlay = pynq.Overlay(str(build.bitstream), device=self._device)
        super().__init__(getattr(overlay, hwh.INSTANCE))
        self._held_driver.require(parameters)

    @property
    def about(self) -> Mapping[str, Any]:
        """What the board calls itself."""
        name = str(self._device.name)
        return {"simulated": name == "simulated", "board": f"{name}, PYNQ.remote"}

    def close(self) -> None:
        """Give memory and board back."""
        for buffer in self._buffers:
            buffer.freebuffer()
        self._buffers = []
        self._device.client.channel.close()


def _build_folder(board: str, parameters: Parameters) -> Path:
    given = os.environ.get(BUILD_VARIABLE)
    return Path(given) if given else usual_folder(board, parameters)
