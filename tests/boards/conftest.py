"""Boards as data are tried on the boards that are simulated from them."""

from tests.simulation.conftest import board, open_board

__all__ = ["board", "open_board"]
