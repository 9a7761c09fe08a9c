"""Comparisons on the boards of a fleet: one at a time on each, all boards at the same time.

A comparison stays on one board, so that its arms are timed in turns on the same hardware. A board
that is lost does not stop the others: what it had begun goes to another one, or back to it where it
is pinned, when it answers again.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from specbp.deploy import fleet
from specbp.deploy.address import DEFAULT_PORT, REMOTE_PORT, parse_address
from specbp.deploy.fleet import FleetBoard, boards_of
from specbp.errors import SpecbpError, UsageError
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
RETRY_S = 1.0
MOST_TRIES = 5
"""What fails so often on boards that answer again is at fault itself."""


@dataclass
class Work:
    """A comparison that is to be trained on some board.

    Attributes:
        cells: cells that it trains.
        names: names of the boards that may train it.
        tries: how often a board was lost with it.
        reason: what was said the last time.
    """

    cells: Sequence[Cell]
    names: frozenset[str]
    tries: int = 0
    reason: str = ""


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
        self._store, self._opener, self._patience_s = store, opener, patience_s
        self._listener = _OneAtATime(listener)
        self._checkpoint_seconds, self._asked_to_stop = checkpoint_seconds, stop
        self._boards: dict[str, FleetBoard] = {}
        self._waiting: list[Work] = []
        for together in comparisons(cells).values():
            allowed = None
            for cell in together:
                boards = boards_of(cell.experiment.backend)
                self._boards |= {board.name: board for board in boards}
                names = frozenset(board.name for board in boards)
                allowed = names if allowed is None else allowed & names
            # Arms that are pinned apart are no comparison of times: each goes to its own.
            groups = [(together, allowed)] if allowed else _apart(together)
            self._waiting += [Work(group, names) for group, names in groups if names]
        self._running = 0
        self._changed = threading.Condition()
        self._raised: list[BaseException] = []

    def run(self) -> None:
        """Train everything.

        Raises:
            Stopped: `stop` said so.
            SpecbpError: boards were lost, and nobody took over what was theirs.
        """
        workers = [
            threading.Thread(target=self._work, args=(board,), daemon=True)
            for board in self._boards.values()
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self._raised:
            raise self._raised[0]
        if self._waiting:
            reasons = sorted({work.reason or "no board of it answers" for work in self._waiting})
            raise SpecbpError(
                f"{len(self._waiting)} comparisons were left: {'; '.join(reasons)[:600]}: see to "
                "the boards, and run the same command again"
            )

    def _work(self, board: FleetBoard) -> None:
        """Train on `board` until nothing is left for it, or it is given up."""
        try:
            while (work := self._take(board)) is not None:
                try:
                    lost = self._try(work, board)
                finally:
                    # Not before what comes back is there: who finds nothing running, ends.
                    with self._changed:
                        self._running -= 1
                        self._changed.notify_all()
                if lost and not self._answers_again(board):
                    return
        except BaseException as error:
            with self._changed:
                self._raised.append(error)
                self._changed.notify_all()

    def _take(self, board: FleetBoard) -> Work | None:
        """Return what to train next, pinned work first; None where nothing can come any more."""
        with self._changed:
            while not self._raised:
                mine = [work for work in self._waiting if board.name in work.names]
                if mine:
                    work = min(mine, key=lambda one: len(one.names))
                    self._waiting.remove(work)
                    self._running += 1
                    return work
                if not self._running:
                    return None
                # What runs elsewhere may come back.
                self._changed.wait(RETRY_S)
        return None

    def _try(self, work: Work, board: FleetBoard) -> bool:
        """Train a comparison, or put it back; return whether its board was lost with it."""
        try:
            lost = self._train(work, board)
        except UsageError:
            work.names -= {board.name}
            if not work.names:
                raise
            # Another one may have the overlay that this one lacks.
            self._put_back(work)
            return False
        work.tries += lost
        # What was lost too often stays failed.
        if lost and work.tries < MOST_TRIES:
            forget(work.cells, self._store)
            self._put_back(work)
        return lost

    def _train(self, work: Work, board: FleetBoard) -> bool:
        """Train a comparison; return whether its board was lost with it."""
        run_in_process(
            work.cells, self._store, OnBoard(board, self._opener), self._listener,
            self._checkpoint_seconds, self._stopping,
        )  # fmt: skip
        runs = self._store.stored().runs
        reasons = [
            str(runs[cell.hash]["reason"])
            for cell in work.cells
            if cell.hash in runs and runs[cell.hash]["status"] == "failed"
        ]
        of_board = [reason for reason in reasons if reason.startswith(LOST)]
        work.reason = f"{board.name}: {of_board[0]}" if of_board else ""
        return bool(of_board)

    def _put_back(self, work: Work) -> None:
        with self._changed:
            self._waiting.append(work)
            self._changed.notify_all()

    def _answers_again(self, board: FleetBoard) -> bool:
        """Wait until something listens at a board's address; false where it is given up."""
        address = parse_address(board.address)
        usual = REMOTE_PORT if board.address.startswith("remote://") else DEFAULT_PORT
        end = time.monotonic() + self._patience_s
        while time.monotonic() < end and not self._stopping():
            with self._changed:
                left = [work for work in self._waiting if board.name in work.names]
                if not left and not self._running:
                    return True
                self._changed.wait(RETRY_S)
            with suppress(OSError):
                socket.create_connection((address.host, address.port or usual), 2.0).close()
                return True
        return False

    def _stopping(self) -> bool:
        return bool(self._raised) or self._asked_to_stop()


class _OneAtATime:
    """A listener that hears one thread at a time."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._lock = listener, threading.Lock()

    def began(self, cells: Sequence[Cell], steps: int, steps_done: int) -> None:
        with self._lock:
            self._listener.began(cells, steps, steps_done)

    def advanced(self, cell: Cell, steps: int) -> None:
        with self._lock:
            self._listener.advanced(cell, steps)

    def finished(self, cell: Cell, run: Mapping[str, Any]) -> None:
        with self._lock:
            self._listener.finished(cell, run)


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
