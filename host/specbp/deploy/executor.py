"""Runs programs on a board: one request for a whole batch, one answer with its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.deploy.address import Address
from specbp.deploy.failure import BoardError
from specbp.deploy.pool import HeldBoard
from specbp.errors import UsageError
from specbp.onboard.ranges import gathered, scatter
from specbp.overlay.executors import deadline_s
from specbp.overlay.faults import DEFAULT_WATCHDOG
from specbp.overlay.parameters import Parameters
from specbp.overlay.program import Program


class BoardExecutor:
    """Runs programs on a board; see `specbp.overlay.executors.Executor`.

    Args:
        board: the board, shared with others of this process.
        parameters: parameters that the programs need; an overlay with more cores runs them too.

    Raises:
        UsageError: the overlay deployed there does not run them.
    """

    def __init__(self, board: HeldBoard, parameters: Parameters) -> None:
        deployed = deployed_parameters(board.address, board.about)
        if not deployed.covers(parameters):
            raise UsageError(
                f"{board.address} has an overlay with {_different(deployed, parameters)}: deploy "
                f"one that has: specbp overlay build --cores {parameters.cores} "
                f"--lanes {parameters.lanes}, then "
                f"specbp board deploy {board.address}"
            )
        self._board = board
        self._programmed = deployed
        self._clock_mhz = float(board.about["clock_mhz"])
        self._memory = np.empty(0, np.uint8)
        self._number: int | None = None
        self._stored: dict[int, tuple[int, NDArray[np.uint32]]] = {}
        self._behind = False

    @property
    def clock_mhz(self) -> float:
        """The overlay's clock, as the board read it back."""
        return self._clock_mhz

    @property
    def about(self) -> Mapping[str, Any]:
        """What the board says of itself."""
        about = self._board.about
        named = f"{about['board']}, {about['device']}, pynq {about['pynq']}"
        return {
            "simulated": about["simulated"],
            "board": named,
            "programmed": self._programmed.described,
        }

    def allocate(self, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Return memory of the board and the host's own copy of it; once."""
        answer = self._ask("allocating memory", {"do": "allocate", "size": size}).header
        self._number = answer["memory"]
        self._memory = np.zeros(size, np.uint8)
        return int(answer["address"]), self._memory

    def run(self, program: Program) -> int:
        """Run `program`; the host is not in the loop until it has ended."""
        number, known = self._store(program)
        words = np.concatenate(program.words)
        rows = np.flatnonzero((known != words).any(axis=1))
        changed = words[rows]
        limit = deadline_s(program.products)
        answer = self._board.ask(
            "running a program",
            {
                "do": "run",
                "memory": self._number,
                "program": number,
                "given": list(program.given),
                "shown": list(program.shown),
                "deadline_s": limit,
                "watchdog": DEFAULT_WATCHDOG,
            },
            {"rows": rows, "changed": changed, "content": gathered(self._memory, program.given)},
            limit + self._board.deadlines.margin,
            sum(length for _, length in program.shown),
        )
        cores = answer.header["cores"]
        if len(cores) != len(program.words):
            self._board.broken = True
            raise BoardError(
                f"{self._board.address}: running a program: it says what {len(cores)} cores did, "
                f"{len(program.words)} had a program: deploy again"
            )
        known[rows] = changed
        scatter(self._memory, program.shown, answer.arrays["content"])
        self._clock_mhz = float(answer.header["clock_mhz"])
        self._behind = True
        return max(int(core["cycles"]) for core in cores)

    def push(self) -> None:
        """Bring all that the host has written to the board."""
        everything = [(0, len(self._memory))]
        request = {"do": "write", "memory": self._number, "ranges": everything}
        self._ask("writing memory", request, {"content": self._memory})
        self._behind = False

    def pull(self) -> None:
        """Bring all that the board has written to the host."""
        if self._behind:
            everything = [(0, len(self._memory))]
            request = {"do": "read", "memory": self._number, "ranges": everything}
            self._memory[:] = self._ask(
                "reading memory", request, content=len(self._memory)
            ).arrays["content"]
            self._behind = False

    def set_valid(self, valid: NDArray[np.bool_]) -> None:
        """Write which labels may be accepted, and clear the counters of all."""
        labels = np.flatnonzero(valid).tolist()
        self._ask("writing the labels", {"do": "set_valid", "labels": labels})

    def close(self) -> None:
        """Give memory back; the board stays with this process."""
        if self._number is not None and not self._board.broken:
            self._ask("giving memory back", {"do": "free", "memory": self._number})
        self._number = None

    def _store(self, program: Program) -> tuple[int, NDArray[np.uint32]]:
        """Return the number of `program` on the board, and its words as they are there."""
        if id(program) not in self._stored:
            lengths = [len(one) for one in program.words]
            request = {"do": "program", "memory": self._number, "lengths": lengths}
            words = np.concatenate(program.words)
            answer = self._ask("storing a program", request, {"words": words})
            self._stored[id(program)] = answer.header["program"], words
        return self._stored[id(program)]

    def _ask(
        self,
        step: str,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        content: int | None = None,
    ) -> Any:
        return self._board.ask(step, header, arrays, content=content)


def deployed_parameters(address: Address, about: Mapping[str, Any]) -> Parameters:
    """Return the parameters of the overlay that a board says it has.

    Raises:
        BoardError: there is no such overlay.
    """
    try:
        return Parameters(**about["parameters"])
    except UsageError as error:
        raise BoardError(f"{address}: it says that it has an {error}: deploy again") from error


def _different(deployed: Parameters, needed: Parameters) -> str:
    found, wanted = vars(deployed), vars(needed)
    return ", ".join(
        f"{name} = {found[name]}, this needs {wanted[name]}"
        for name in found
        if found[name] != wanted[name] and not (name == "cores" and found[name] > wanted[name])
    )
