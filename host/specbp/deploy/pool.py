"""Boards in use by this process: one connection and one runner each, shared by all that train.

asyncssh lives in a thread of its own; what is here is called from ordinary code.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from numpy.typing import NDArray

from specbp.deploy.address import Address, Credentials, access_from_environment
from specbp.deploy.connection import Deadlines, connect
from specbp.deploy.failure import BoardError
from specbp.deploy.runner import RunnerClient, start_runner
from specbp.onboard.messages import Message

Result = TypeVar("Result")
WAIT_FOR_BOARD_S = 10.0
"""For another process to give the board back; after that, the message says who has it."""


class _Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="boards")
        self._thread.start()

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class HeldBoard:
    """A board with its current overlay programmed, held until `close`.

    Args:
        address: address of the board.
        access: how to be let in.
        deadlines: how long steps may take.

    Attributes:
        address: address of the board.
        deadlines: how long steps may take.
        about: what it says of itself and of its overlay.

    Raises:
        BoardError: it cannot be reached, is in use, or has no overlay that works.
    """

    def __init__(
        self, address: Address, access: Credentials, deadlines: Deadlines | None = None
    ) -> None:
        self.address, self.deadlines = address, deadlines or Deadlines()
        self.broken = False
        self._stack = AsyncExitStack()
        self._client: RunnerClient | None = None
        self.about: dict[str, Any] = {}
        try:
            _background().wait(self._open(access))
        except BaseException:
            self.close()
            raise

    def ask(
        self,
        step: str,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        deadline: float | None = None,
        content: int | None = None,
    ) -> Message:
        """Send a request and return its answer.

        Args:
            step: what this is for, in messages.
            header: header of the request.
            arrays: arrays of the request.
            deadline: s; that of a small command if None.
            content: number of bytes that come with the answer; None for an answer without array.

        Raises:
            BoardError: the board answered with an error, with something else, or not in time.
        """
        assert self._client is not None
        deadline = deadline or self.deadlines.command
        try:
            return _background().wait(self._client.ask(deadline, step, header, arrays, content))
        except BoardError:
            # What was asked may still come: whoever goes on needs a new runner.
            self.broken = True
            raise

    def close(self) -> None:
        """Give the board back."""
        self.broken = True
        _background().wait(self._stack.aclose())

    async def _open(self, access: Credentials) -> None:
        enter = self._stack.enter_async_context
        connection = await enter(connect(self.address, access, self.deadlines))
        self._client = await enter(start_runner(connection, wait_s=WAIT_FOR_BOARD_S))
        loaded = await self._client.ask(
            self.deadlines.load, "programming the overlay", {"do": "load"}
        )
        self.about = {**self._client.hello, **loaded.header}


def board_at(address: Address, deadlines: Deadlines | None = None) -> HeldBoard:
    """Return the board at `address`; it stays open for the next one who asks.

    Raises:
        BoardError: it cannot be reached, is in use, or has no overlay that works.
    """
    found = _open_boards.get(address)
    if found is None or found.broken:
        if found is not None:
            found.close()
        _open_boards[address] = found = HeldBoard(address, access_from_environment(), deadlines)
    return found


def open_board(address: Address) -> HeldBoard | None:
    """Return the board at `address` if this process has it, and it works."""
    found = _open_boards.get(address)
    return None if found is None or found.broken else found


def close_boards() -> None:
    """Give all boards back."""
    while _open_boards:
        _open_boards.popitem()[1].close()


def _background() -> _Background:
    global _thread
    if _thread is None:
        _thread = _Background()
        atexit.register(close_boards)
    return _thread


_thread: _Background | None = None
_open_boards: dict[Address, HeldBoard] = {}
