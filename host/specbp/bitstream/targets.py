"""What a bitstream can be built for: each board, and the simulation of each board."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.boards.board import SIMULATED, Board, board_named, board_names
from specbp.errors import UsageError, nearest


@dataclass(frozen=True)
class Target:
    """A board, or its simulation.

    Attributes:
        name: name in the command line and in manifests.
        board: the board.
        simulated: whether its bitstreams are for the simulated overlay only.
    """

    name: str
    board: Board
    simulated: bool

    @property
    def part(self) -> str:
        """The FPGA, as Vivado has it; empty for the simulation."""
        return "" if self.simulated else self.board.part


def target_names() -> list[str]:
    """Return the names of all targets."""
    boards = board_names()
    return [*boards, SIMULATED, *(f"{SIMULATED}-{name}" for name in boards)]


def target_named(name: str) -> Target:
    """Return what is called `name`.

    Raises:
        UsageError: nothing is.
    """
    names = target_names()
    if name not in names:
        raise UsageError(
            f'unknown board "{name}"{nearest(name, names)}: choose one of {", ".join(names)}'
        )
    return Target(name, board_named(name), name.startswith(SIMULATED))
