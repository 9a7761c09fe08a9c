"""The overlay of a build on this board: programmed, read back, and ready to run programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from specbp.boards.board import SIMULATED, Board, board_named
from specbp.errors import UsageError
from specbp.onboard.build import Build
from specbp.onboard.ranges import gathered, scatter
from specbp.onboard.vectors import read_vectors
from specbp.overlay import hwh
from specbp.overlay.faults import BuildMismatchError
from specbp.overlay.quiet import pynq_imports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CLOCK_TOLERANCE = 0.005
"""Relative; the divisors of the PLLs reach their frequencies exactly."""


class LoadedOverlay:
    """A programmed overlay, and the memory that programs of one host use.

    Args:
        build: what to program; checked here.

    Attributes:
        driver: the overlay's driver.
        vectors: the stored self-test of the build.

    Raises:
        UsageError: the files of the build do not belong together.
        BuildMismatchError: what is programmed is not what the build says.
    """

    def __init__(self, build: Build) -> None:
        _require_board(str(build.manifest["board"]))
        self.vectors = read_vectors(build.check()[build.selftest.name])
        with pynq_imports():
            import pynq

            import specbp.overlay.driver  # noqa: F401  registers the driver with pynq

        self.build = build
        overlay = pynq.Overlay(str(build.bitstream))
        self.device = overlay.device
        self.driver = getattr(overlay, hwh.INSTANCE)
        self.driver.require(build.parameters)
        self._check_clock()
        self._memories: dict[int, Any] = {}

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as it is set."""
        return float(self.driver.clock_hz) / 1e6

    def about(self) -> dict[str, Any]:
        """Return what a host wants to know of what is programmed."""
        from dataclasses import asdict

        return {
            "parameters": asdict(self.driver.parameters),
            "build_identifier": f"0x{self.driver.parameters.build_identifier:08X}",
            "clock_mhz": self.clock_mhz,
            "device": getattr(self.device, "name", "unknown"),
            "simulated": bool(getattr(self.device, "simulated", False)),
            "board": os.environ.get("BOARD", "unknown"),
        }

    def allocate(self, size: int) -> tuple[int, int]:
        """Return number and physical address of `size` bytes of zeros."""
        buffer = self.driver.allocate(size)
        buffer[:] = 0
        number = max(self._memories, default=0) + 1
        self._memories[number] = buffer
        return number, int(buffer.device_address)

    def free(self, number: int) -> None:
        """Give memory back."""
        self._memories.pop(number).freebuffer()

    def write(self, number: int, ranges: Sequence[tuple[int, int]], content: NDArray[Any]) -> None:
        """Write the bytes `content` into ranges of memory, one after the other."""
        scatter(self._memories[number], ranges, content)

    def read(self, number: int, ranges: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """Return ranges of memory, one after the other, as bytes."""
        return gathered(np.asarray(self._memories[number]), ranges)

    def run(
        self,
        number: int,
        programs: Sequence[NDArray[np.uint32]],
        deadline_s: float,
        watchdog: int,
    ) -> list[dict[str, Any]]:
        """Run a program of each core on memory; return of each what the driver's `Run` says.

        Raises:
            OverlayError: the overlay stopped at an error, or did not end in time.
        """
        memory = self._memories[number]
        memory.flush()
        done = self.driver.run_cores(programs, [memory], deadline_s, watchdog)
        memory.invalidate()
        return [dict(vars(one)) for one in done]

    def _check_clock(self) -> None:
        found, expected = self.clock_mhz, self.build.clock_mhz
        if abs(found - expected) > CLOCK_TOLERANCE * expected:
            raise BuildMismatchError(
                f"the overlay's clock is {found:g} MHz, it was built for {expected:g} MHz: "
                "other software has changed the clocks of this board: restart it and deploy again"
            )


def _require_board(built_for: str) -> None:
    """Refuse a build for another FPGA than that of this board, as far as its image names it.

    Args:
        built_for: the board of the build's manifest, one that is simulated or not.

    Raises:
        UsageError: it is for another one.
    """
    board, here = board_named(built_for), this_board()
    # Where no file is about the board, the FPGA refuses what is not for it.
    if here is not None and here.part != board.part:
        simulated = "simulated-" if built_for.startswith(SIMULATED) else ""
        raise UsageError(
            f"this build is for {board.image} ({board.part}), this board is {here.image} "
            f"({here.part}): specbp overlay build --board {simulated}{here.name}"
        )


def this_board() -> Board | None:
    """Return this board, as its image names it; None where no file is about it."""
    try:
        return board_named(os.environ.get("BOARD", ""))
    except UsageError:
        return None


def by_core(words: NDArray[np.uint32], lengths: Sequence[int]) -> list[NDArray[np.uint32]]:
    """Return the programs of each core, whose words [descriptors, 16] follow one another."""
    return np.split(words, np.cumsum(lengths)[:-1])
