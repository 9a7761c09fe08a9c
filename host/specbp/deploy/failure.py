"""What can go wrong with a board."""

from __future__ import annotations

from specbp.errors import SpecbpError


class BoardError(SpecbpError):
    """Something went wrong with a board."""


class ConnectionLostError(BoardError):
    """The connection to the board ended."""
