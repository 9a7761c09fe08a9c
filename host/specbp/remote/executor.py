"""Runs programs on any board that speaks PYNQ.remote, through pynq's own client."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.boards.board import SIMULATED
from specbp.errors import SpecbpError
from specbp.overlay.executors import DriverExecutor
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program
from specbp.remote.board import board_at

NO_PROXY = "no_grpc_proxy"
"""gRPC's variable: hosts that it reaches directly."""


class RemoteExecutor(DriverExecutor):
    """Runs programs on a PYNQ.remote board; see `specbp.overlay.executors.Executor`.

    Args:
        host: host of the board.
        port: port of the server.
        parameters: parameters that the programs need; an overlay with more cores runs them too.

    Raises:
        SpecbpError: the board does not answer, or another client has it.
        UsageError: there is no build, or it does not fit together.
        BuildMismatchError: what was programmed is another build.
    """

    def __init__(self, host: str, port: int, parameters: Parameters) -> None:
        # gRPC would otherwise look for the board behind the web's proxy.
        os.environ[NO_PROXY] = ",".join(filter(None, (os.environ.get(NO_PROXY), host)))
        self._board = board_at(host, port)
        super().__init__(self._board.driver_for(parameters))

    @property
    def about(self) -> Mapping[str, Any]:
        """What the board calls itself, and what was programmed."""
        board = self._board
        return {
            "simulated": board.name.startswith(SIMULATED),
            "board": f"{board.name}, PYNQ.remote",
            "programmed": board.programmed.described,
        }

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as it is set."""
        with self._board.answering():
            return super().clock_mhz

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory of the board."""
        with self._board.answering():
            return super().allocate(size)

    def run(self, program: Program) -> int:
        """Run `program`."""
        with self._board.answering():
            return super().run(program)

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        with self._board.answering():
            super().set_valid(valid)

    def close(self) -> None:
        """Give memory back; the board stays with this process."""
        buffers, self._buffers = self._buffers, []
        for buffer in buffers:
            if self._board.broken:
                # It would ask the board.
                buffer.freed = True
            else:
                with contextlib.suppress(SpecbpError), self._board.answering():
                    buffer.freebuffer()

    def _driver(self) -> Any:
        self._board.use()
        return super()._driver()
