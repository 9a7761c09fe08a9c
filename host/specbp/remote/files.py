"""The files of a simulated board that PYNQ.remote's clients read and write, in memory."""

from __future__ import annotations

from collections.abc import Callable

FIRMWARE = "/lib/firmware/"
MANAGER = "/sys/class/fpga_manager/fpga0/"
MOST_BYTES = 64 << 20


class BoardFiles:
    """A file system of which only names and contents matter.

    Writing the name of a file in ``/lib/firmware`` to the FPGA manager programs that file.

    Args:
        board: name of the board.
        program: programs a configuration, given as a .bin file's content.
    """

    def __init__(self, board: str, program: Callable[[bytes], None]) -> None:
        self._program = program
        self._files = {
            "/proc/version": b"Linux version 5.15.19 (specbp) armv7l, simulated\n",
            "/proc/device-tree/chosen/pynq_board": board.encode() + b"\0",
            f"{MANAGER}state": b"operating\n",
            f"{MANAGER}flags": b"0\n",
            f"{MANAGER}firmware": b"",
        }

    def exists(self, path: str) -> bool:
        """Return whether there is a file."""
        return path in self._files

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: there is none.
        """
        if path not in self._files:
            raise FileNotFoundError(path)
        return self._files[path]

    def write(self, path: str, content: bytes) -> None:
        """Write a file.

        Raises:
            OSError: there is no room, or no such file to program.
            SpecbpError: it is no configuration of the simulation.
        """
        others = sum(len(kept) for name, kept in self._files.items() if name != path)
        if others + len(content) > MOST_BYTES:
            raise OSError(f"{path}: no space left on the simulated board")
        if path == f"{MANAGER}firmware":
            self._configure(content)
        self._files[path] = content

    def _configure(self, name: bytes) -> None:
        state = f"{MANAGER}state"
        self._files[state] = b"write error\n"
        self._program(self.read(FIRMWARE + name.decode().strip()))
        self._files[state] = b"operating\n"
