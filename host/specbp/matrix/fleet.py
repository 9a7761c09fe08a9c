"""Comparisons on the boards of a fleet: one at a time on each, all boards at the same time.

A comparison stays on one board, so that its arms are timed in turns on the same hardware. A board
that is lost does not stop the others: what it had begun goes to another one, or back to it where it
is pinned, when it answers again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from specbp.deploy import fleet
from specbp.deploy.address import DEFAULT_PORT, REMOTE_PORT, parse_address
from specbp.deploy.fleet import FleetBoard, boards_of
from specbp.matrix.dispatch import RETRY_S, Dispatcher, OneAtATime, Work, left_over
from specbp.matrix.expand import Cell
from specbp.matrix.progress import Listener
from specbp.matrix.session import OpenTraining
from specbp.matrix.starts import Opener, run_in_process
from specbp.matrix.store import Store
from specbp.matrix.survey import comparisons, forget

LOST = ("BoardError", "ConnectionLostError", "BoardLostError", "LeaseLostError", "ForeignUseError")
"""Errors of a cell that are its board's."""
PATIENCE_S = 60.0
"""A board that does not answer for so long is given up."""


@dataclass(frozen=True)
class OnBoard:
    """An opener of trainings on one board of a fleet; it can be sent to another process.

    Attributes:
        board: board of the fleet.
        opener: what makes openers.
    """

    board: FleetBoard
    opener: Opener

    def __call__(self) -> OpenTraining:
        """Return what opens trainings, all of them on the board."""
        fleet.assign(self.board)
        return self.opener()


class Fleet:
    """Boards at work.

    Args:
        cells: all of them of fleets.
        store: the results folder, locked by the caller.
        opener: makes what opens trainings.
        listener: hears how it goes on.
        checkpoint_seconds: time between checkpoints.
        stop: asked all the time; true ends the run with checkpoints.
        patience_s: time after which a board that does not answer is given up.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        store: Store,
        opener: Opener,
        listener: Listener,
        checkpoint_seconds: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        boards: dict[str, FleetBoard] = {}
        waiting: list[Work] = []
        for together in comparisons(cells).values():
            allowed = None
            for cell in together:
                found = boards_of(cell.experiment.backend)
                boards |= {board.name: board for board in found}
                names = frozenset(board.name for board in found)
                allowed = names if allowed is None else allowed & names
            # Arms that are pinned apart are no comparison of times: each goes to its own.
            groups = [(together, allowed)] if allowed else _apart(together)
            waiting += [Work(group, names) for group, names in groups if names]
        self._dispatcher = Dispatcher(waiting, stop, patience_s)
        shared = OneAtATime(listener)
        self._places = [
            _BoardAtWork(
                board, store, opener, shared, checkpoint_seconds, self._dispatcher.is_stopping
            )
            for board in boards.values()
        ]

    def run(self) -> None:
        """Train everything.

        Raises:
            Stopped: `stop` said so.
            SpecbpError: boards were lost, and nobody took over what was theirs.
        """
        for place in self._places:
            self._dispatcher.add(place)
        while not self._dispatcher.wait(RETRY_S) and self._dispatcher.names:
            pass
        if waiting := self._dispatcher.waiting:
            raise left_over(waiting, "the boards")


class _BoardAtWork:
    """A board as a place of a dispatcher."""

    def __init__(
        self,
        board: FleetBoard,
        store: Store,
        opener: Opener,
        listener: Listener,
        checkpoint_seconds: float | None,
        stop: Callable[[], bool],
    ) -> None:
        self.name = self.machine = board.name
        self._board, self._store, self._opener = board, store, opener
        self._listener, self._stop = listener, stop
        self._checkpoint_seconds = checkpoint_seconds

    def can_train(self, work: Work) -> bool:
        """Return true: what a board cannot train, it refuses itself."""
        return True

    def train(self, work: Work) -> str:
        """Train a comparison; return why the board was lost with it, or nothing."""
        heard = _Reasons(self._listener)
        run_in_process(
            work.cells, self._store, OnBoard(self._board, self._opener), heard,
            self._checkpoint_seconds, self._stop,
        )  # fmt: skip
        of_board = [reason for reason in heard.reasons if reason.startswith(LOST)]
        return f"{self.name}: {of_board[0]}" if of_board else ""

    def forget(self, work: Work) -> None:
        """Delete what a lost board left: another one begins from the start."""
        forget(work.cells, self._store)

    def give_up(self, work: Work) -> None:
        """Leave the rows of the failed cells, which are stored already."""

    def answers(self) -> bool:
        """Return whether something listens at the board's address."""
        address = parse_address(self._board.address)
        usual = REMOTE_PORT if self._board.address.startswith("remote://") else DEFAULT_PORT
        with suppress(OSError):
            socket.create_connection((address.host, address.port or usual), 2.0).close()
            return True
        return False


class _Reasons:
    """A listener that notes why cells failed, and tells another listener."""

    def __init__(self, listener: Listener) -> None:
        self.began, self.advanced = listener.began, listener.advanced
        self._finished = listener.finished
        self.reasons: list[str] = []

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        if run["status"] == "failed":
            self.reasons.append(str(run["reason"]))
        self._finished(cell, run)


def _apart(cells: Sequence[Cell]) -> list[tuple[Sequence[Cell], frozenset[str] | None]]:
    """Return cells that have no board in common, together with those of the same backend."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.experiment.backend, []).append(cell)
    return [
        (group, frozenset(board.name for board in boards_of(backend)))
        for backend, group in groups.items()
    ]


def modelled(cells: Sequence[Cell]) -> list[Cell]:
    """Return `cells` on the overlay's model: they open where those of a fleet would.

    Boards are for one process at a time, and the one that checks is not the one that trains.
    """
    return [
        replace(cell, experiment=cell.experiment.model_copy(update={"backend": "sim:model"}))
        for cell in cells
    ]
