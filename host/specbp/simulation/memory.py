"""The memory that pynq allocates from, on a simulated board."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError

ALIGNMENT = 4096
"""Of every buffer, as on a board, where buffers are whole pages."""


class OutOfMemoryError(SpecbpError):
    """The simulated board has no room for a buffer."""


class DeviceMemory:
    """Hands out ranges of the simulated memory; first fit.

    Attributes:
        base: physical address of the first byte.
        size: size of the memory, bytes.

    Args:
        content: the memory itself, as bytes.
        base: physical address of the first byte.
    """

    def __init__(self, content: NDArray[np.uint8], base: int) -> None:
        self.base, self.size = base, len(content)
        self._content = content
        self._free = [(base, len(content))]
        self._used: dict[int, int] = {}

    def use(self, content: NDArray[np.uint8]) -> None:
        """Go on with other memory of the same size, which holds the same bytes."""
        self._content = content

    def take(self, size: int) -> int:
        """Return the physical address of `size` free bytes.

        Raises:
            OutOfMemoryError: there are not so many in one piece.
        """
        needed = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        for position, (address, length) in enumerate(self._free):
            if length >= needed:
                rest = [(address + needed, length - needed)] if length > needed else []
                self._free[position : position + 1] = rest
                self._used[address] = needed
                return address
        raise OutOfMemoryError(
            f"no room for {size} bytes in the simulated memory of {self.size} bytes: "
            "free buffers, or give the device more memory"
        )

    def return_pointer(self, address: int) -> None:
        """Take a range back; the name is what pynq calls."""
        self._free.append((address, self._used.pop(address)))
        self._free.sort()
        merged: list[tuple[int, int]] = []
        for start, length in self._free:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._free = merged

    def bytes_at(self, address: int, size: int) -> NDArray[np.uint8]:
        """Return a view of `size` bytes from the physical `address` on."""
        start = address - self.base
        return self._content[start : start + size]

    def allocate(self, device: Any, shape: Any, dtype: Any, coherent: bool) -> Any:
        """Return a `PynqBuffer` on `device`.

        The host's copy of a buffer that is not coherent is memory of its own, as the CPU's cache
        is on a board: without `flush` the overlay does not see what was written, and without
        `invalidate` the host does not see what the overlay wrote.
        """
        from pynq.buffer import PynqBuffer

        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        address = self.take(size)
        on_device = self.bytes_at(address, size)
        host = on_device if coherent else on_device.copy()
        buffer = PynqBuffer(
            shape,
            dtype,
            buffer=host,
            device=device,
            device_address=address,
            bo=address,
            coherent=coherent,
        )
        # pynq frees through these; with `freed` unset it would call the board's C library.
        buffer.pointer, buffer.return_to, buffer.memory, buffer.freed = address, self, self, True
        return buffer
