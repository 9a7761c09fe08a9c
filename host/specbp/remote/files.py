"""The files of a simulated board that PYNQ.remote's clients read and write, in memory."""

from __future__ import annotations

from collections.abc import Callable

FIRMWARE = "/lib/firmware/"
MANAGER = "/sys/class/fpga_manager/fpga0/"
MOST_BYTES = 64 << 20
LONGEST_PATH = 4096
ENTRY_BYTES = 256
"""What a file takes beside its name and content."""


class Upload:
    """A file that a client is sending; its bytes count as taken from the first on.

    Args:
        files: where it goes when it is complete.
        path: path of the file on the board.
    """

    def __init__(self, files: BoardFiles, path: str) -> None:
        self.path = path
        self._files = files
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            OSError: there is no room for them.
        """
        self._files.reserve(self.path, len(chunk))
        self._chunks.append(chunk)

    def end(self) -> bytes:
        """Return the content, and give back what was reserved for it; empty the second time."""
        content, self._chunks = b"".join(self._chunks), []
        self._files.reserved -= len(content)
        return content


class BoardFiles:
    """A file system of which only names and contents matter.

    Writing the name of a file in ``/lib/firmware`` to the FPGA manager programs that file.

    Args:
        board: name of the board.
        machine: what its kernel calls its processor.
        program: programs a configuration, given as a .bin file's content.

    Attributes:
        reserved: bytes of uploads that are not complete.
    """

    def __init__(self, board: str, machine: str, program: Callable[[bytes], None]) -> None:
        self._program = program
        self.reserved = 0
        self._files = {
            "/proc/version": f"Linux version 5.15.19 (specbp) {machine}, simulated\n".encode(),
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

    def programs(self, path: str) -> bool:
        """Return whether writing the file at `path` programs the FPGA."""
        return path == f"{MANAGER}firmware"

    def reserve(self, path: str, size: int) -> None:
        """Take room for `size` more bytes of the file that is to replace that at `path`.

        Raises:
            OSError: there is none.
        """
        taken = self.reserved + self._bytes_beside(path)
        if len(path) > LONGEST_PATH or taken + len(path) + ENTRY_BYTES + size > MOST_BYTES:
            raise OSError(f"{path[:80]}: no space left on the simulated board")
        self.reserved += size

    def write(self, path: str, content: bytes) -> None:
        """Write a file.

        Raises:
            OSError: there is no room, or no such file to program.
            SpecbpError: it is no configuration of the simulation.
        """
        self.reserve(path, len(content))
        self.reserved -= len(content)
        if self.programs(path):
            self._configure(content)
        self._files[path] = content

    def remove(self, path: str) -> None:
        """Delete a file, if there is one."""
        self._files.pop(path, None)

    def _bytes_beside(self, path: str) -> int:
        return sum(
            len(name) + ENTRY_BYTES + len(kept)
            for name, kept in list(self._files.items())
            if name != path
        )

    def _configure(self, name: bytes) -> None:
        state = f"{MANAGER}state"
        self._files[state] = b"write error\n"
        self._program(self.read(FIRMWARE + name.decode(errors="replace").strip()))
        self._files[state] = b"operating\n"
