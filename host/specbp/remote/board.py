"""PYNQ.remote boards in use by this process: connected, leased and programmed once each.

All that train on a board share it, in turns.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from specbp.errors import SpecbpError, UsageError
from specbp.onboard.build import MANIFEST, Build, open_build, usual_folder
from specbp.onboard.untrusted import printable
from specbp.overlay import hwh
from specbp.overlay.faults import ForeignUseError
from specbp.overlay.parameters import Parameters
from specbp.overlay.quiet import pynq_imports
from specbp.remote.calls import BoardLostError, answering, open_channel
from specbp.remote.lease import Lease, Times

with pynq_imports():
    import pynq
    from pynq.pl_server.remote_device import RemoteDevice

    import specbp.overlay.driver  # noqa: F401  registers the driver with pynq
    from specbp.overlay.clocks import forget_clocks

BUILD_VARIABLE = "SPECBP_BUILD"


class RemoteBoard:
    """A board that this process has, until `close`.

    Args:
        host: name or address of the board.
        port: port of the server.
        times: how long the parts of the lease take.

    Attributes:
        where: address and port.
        broken: it cannot be used any more.

    Raises:
        SpecbpError: the board does not answer, or another client has it.
    """

    def __init__(self, host: str, port: int, times: Times | None = None) -> None:
        self.where = f"{host}:{port}"
        self.broken = False
        self._build: Build | None = None
        self._driver: Any = None
        try:
            self._device = _BoundedDevice(ip_addr=host, port=port)
        except RuntimeError as error:
            raise BoardLostError(
                f"{self.where}: no PYNQ.remote board answers there: is it on, and is its server "
                "running? (a simulated one: specbp board serve)"
            ) from error
        self._lease = Lease(self._device, times, self._lose)
        try:
            with self.answering():
                self._lease.take()
        except BaseException:
            self._device.client.channel.close()
            raise

    @property
    def name(self) -> str:
        """What the board calls itself."""
        return printable(str(self._device.name), 120)

    @property
    def programmed(self) -> Parameters:
        """The overlay on it, as its registers say."""
        parameters: Parameters = self._driver.parameters
        return parameters

    def driver_for(self, parameters: Parameters) -> Any:
        """Return the driver of an overlay that runs what needs `parameters`.

        The first one to ask has the board programmed: with the build in the folder that
        `SPECBP_BUILD` names, else with that of ``specbp overlay build`` which has most cores, so
        that those who need more of them find it there.

        Raises:
            SpecbpError: the board does not answer.
            UsageError: there is no build that runs it, or another one is programmed already.
        """
        build = self._build or _build_for(self.name, parameters)
        if not build.parameters.covers(parameters):
            raise UsageError(
                f"{build.folder} has {build.parameters.size}, this needs {parameters.size}: "
                f"{_how_to_build(self.name, parameters)}, which runs both, and start again"
            )
        if self._build is None:
            build.check()
            self._program(build)
        return self._driver

    def use(self) -> None:
        """Make this the board that pynq's state for the whole process is about.

        Raises:
            LeaseLostError: the board is not this process's any more.
        """
        self._lease.check()
        if getattr(pynq.Device, "_active_device", None) is not self._device:
            pynq.Device.active_device = self._device
            forget_clocks()

    @contextlib.contextmanager
    def answering(self) -> Any:
        """Turn what goes wrong with the board meanwhile into one line.

        Raises:
            SpecbpError: something did.
        """
        try:
            with answering(self.where):
                yield
        except SpecbpError as error:
            # Whoever comes next has it programmed anew.
            self.broken |= isinstance(error, (BoardLostError, ForeignUseError))
            # Where the lease is lost, that is the reason for all else.
            self._lease.check()
            raise

    def close(self) -> None:
        """Give the board to others."""
        self.broken = True
        with contextlib.suppress(SpecbpError), answering(self.where):
            self._lease.release()
        self._device.client.channel.close()
        if getattr(pynq.Device, "_active_device", None) is self._device:
            del pynq.Device._active_device
            forget_clocks()

    def _lose(self) -> None:
        self.broken = True
        # Ends the calls that wait.
        self._device.client.channel.close()

    def _program(self, build: Build) -> None:
        self.use()
        with self.answering():
            overlay = pynq.Overlay(str(build.bitstream), device=self._device)
            driver = getattr(overlay, hwh.INSTANCE)
        driver.require(build.parameters)
        self._build, self._driver = build, driver


class _BoundedDevice(RemoteDevice):  # type: ignore[misc]
    """pynq's own client, with calls that end."""

    @property
    def client(self) -> Any:
        """The channel, in pynq's wrapper."""
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        # pynq sets it first of all, once it is connected, and makes everything else from it.
        client.channel.close()
        client.channel = open_channel(f"{self.ip_addr}:{self.port}")
        self._client = client


def board_at(host: str, port: int) -> RemoteBoard:
    """Return the board at `host`; it stays this process's for the next one who asks.

    Raises:
        SpecbpError: it does not answer, or another client has it.
    """
    board = _open_boards.get((host, port))
    if board is None or board.broken:
        if board is not None:
            board.close()
        _open_boards[host, port] = board = RemoteBoard(host, port)
    return board


def close_boards() -> None:
    """Give all boards to others."""
    while _open_boards:
        _open_boards.popitem()[1].close()


def _build_for(board: str, parameters: Parameters) -> Build:
    """Return the build to program."""
    given = os.environ.get(BUILD_VARIABLE)
    if given:
        return open_build(Path(given))
    # The name comes from the board, and becomes that of a folder.
    name = re.sub(r"[^A-Za-z0-9_-]", "-", board)
    folders = [
        usual_folder(name, replace(parameters, cores=cores))
        for cores in range(hwh.MOST_CORES, parameters.cores - 1, -1)
    ]
    for folder in folders:
        if (folder / MANIFEST).is_file():
            return open_build(folder)
    raise UsageError(
        f"{folders[-1]}: no build of the overlay there for the board {name}: "
        f"{_how_to_build(name, parameters)}, or name another folder in {BUILD_VARIABLE}"
    )


def _how_to_build(board: str, parameters: Parameters) -> str:
    return (
        f"specbp overlay build --board {board.lower()} --cores {parameters.cores} "
        f"--lanes {parameters.lanes}"
    )


_open_boards: dict[tuple[str, int], RemoteBoard] = {}
atexit.register(close_boards)
