"""Programs of the overlay: descriptors of 64 bytes, 16 words of 32 bits, little endian.

Word 0 holds the opcode in bits 7:0, its other bits are zero. The codes come from `specbp.rdl`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specbp.overlay.register_map import Opcode

DESCRIPTOR_WORDS = 16
DESCRIPTOR_BYTES = 4 * DESCRIPTOR_WORDS
ALIGNMENT = 8
"""Every address in a descriptor is a multiple of this many bytes."""
MAX_COPY_BYTES = 1 << 26


@dataclass(frozen=True)
class Nop:
    """Wait.

    Attributes:
        cycles: how long, 0 to 2^32 - 1.
    """

    cycles: int = 0

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return Opcode.NOP, self.cycles


@dataclass(frozen=True)
class Copy:
    """Copy memory; source and destination are equal or do not overlap.

    Attributes:
        source: physical address, a multiple of 8.
        destination: physical address, a multiple of 8.
        size: bytes, 1 to 2^26; exactly these are written.
    """

    source: int
    destination: int
    size: int

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return Opcode.COPY, self.source, self.destination, self.size


@dataclass(frozen=True)
class End:
    """End of the program."""

    @property
    def words(self) -> tuple[int, ...]:
        """The words that are not zero, from word 0 on."""
        return (Opcode.END,)


Descriptor = Nop | Copy | End


def encode(program: Sequence[Descriptor]) -> NDArray[np.uint32]:
    """Return the words of `program`, a row for each descriptor."""
    words = np.zeros((len(program), DESCRIPTOR_WORDS), np.uint32)
    for row, descriptor in zip(words, program, strict=True):
        row[: len(descriptor.words)] = descriptor.words
    return words
