"""What descriptors read and write, as numpy arrays: buffers, memory, index and label table.

It is stricter than the hardware: what reaches outside a buffer or the memory is an error, and so is
what reads a word that nothing has written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError
from specbp.overlay.parameters import Parameters

WORD_BYTES = 8
"""Bytes of a *word* of the buffers, which holds four int16 or two int32."""
PER_WORD = 4
"""int16 in a word; words of a row of the partial buffer count as one here."""
SEMAPHORES = 15
"""Semaphores of a core, numbered from 1; each counts to 255. All cores share as many."""
TABLE_ENTRIES = 1024
"""Entries of the index table."""
LABELS = 512
"""Entries of the label table."""

Words = NDArray[np.int64]
"""Word numbers."""


class ProgramError(SpecbpError):
    """A descriptor reaches outside a buffer or the memory, or reads what nothing has written."""


class AccessListener(Protocol):
    """Who is told of every access, such as a detector of races."""

    def access(self, space: str, words: Words, write: bool) -> None:
        """Note that the descriptor in progress reads or writes `words` of `space`."""


@dataclass
class Shared:
    """What the cores share.

    Attributes:
        memory: int16 [words, 4].
        base: physical address of the first byte.
        valid: whether each label may be accepted.
        judged: int64 [2, labels]: accepts and rejects of each label.
        listener: told of every access; None where nobody listens.
    """

    memory: NDArray[np.int16]
    base: int
    valid: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(LABELS, np.bool_))
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, LABELS), np.int64))
    listener: AccessListener | None = None


def spaces(parameters: Parameters) -> dict[str, int]:
    """Return how many words each buffer of a core has."""
    return {
        "scalar": parameters.scalar_words,
        "vector": parameters.vector_rows * parameters.groups,
        "bias": parameters.bias_rows * 2,
        "output": parameters.output_words,
        "partial": parameters.partial_rows,
        "table": TABLE_ENTRIES,
    }


class CoreState:
    """The buffers and the index table of a core, and the memory that it shares.

    Args:
        parameters: parameters of the core.
        shared: what it shares with the other core.
    """

    def __init__(self, parameters: Parameters, shared: Shared) -> None:
        self.groups = parameters.groups
        self.shared = shared
        self.sizes = spaces(parameters)
        self._buffers = {
            space: np.zeros(words * PER_WORD, np.int16)
            for space, words in self.sizes.items()
            if space not in ("partial", "table")
        }
        self._partial = np.zeros((parameters.partial_rows, PER_WORD), np.int64)
        self._table = np.zeros(TABLE_ENTRIES, np.uint16)
        self._written = {space: np.zeros(words, np.bool_) for space, words in self.sizes.items()}

    def elements(self, space: str) -> NDArray[np.int16]:
        """Return all int16 of a buffer, unchecked; `touch` checks what is read of them."""
        return self._buffers[space]

    def read(self, space: str, words: Words) -> NDArray[np.int16]:
        """Return int16 [words, 4] of a buffer."""
        self.touch(space, words)
        return self._buffers[space].reshape(-1, PER_WORD)[words]

    def write(self, space: str, words: Words, values: NDArray[np.int16]) -> None:
        """Write int16 [words, 4] into a buffer."""
        self._claim(space, words)
        self._buffers[space].reshape(-1, PER_WORD)[words] = values

    def read_sums(self, rows: Words) -> NDArray[np.int64]:
        """Return int64 [rows, 4] of the partial buffer."""
        self.touch("partial", rows)
        return self._partial[rows]

    def write_sums(self, rows: Words, sums: NDArray[np.int64]) -> None:
        """Write int64 [rows, 4] into the partial buffer."""
        self._claim("partial", rows)
        self._partial[rows] = sums

    def entries(self, entries: Words) -> Words:
        """Return entries of the index table."""
        self.touch("table", entries)
        return self._table[entries].astype(np.int64)

    def write_entries(self, entries: Words, values: NDArray[np.uint16]) -> None:
        """Write entries of the index table."""
        self._accessed("table", entries, write=True)
        self._written["table"][entries] = True
        self._table[entries] = values

    def read_memory(self, addresses: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return int16 [words, 4] of the memory."""
        words = self._memory_words(addresses)
        self._accessed("memory", words, write=False)
        return self.shared.memory[words]

    def write_memory(self, addresses: NDArray[np.int64], values: NDArray[np.int16]) -> None:
        """Write int16 [words, 4] into the memory."""
        words = self._memory_words(addresses)
        self._accessed("memory", words, write=True)
        self.shared.memory[words] = values

    def copy_memory(self, source: int, destination: int, size: int) -> None:
        """Copy `size` bytes of the memory."""
        memory, base = self.shared.memory.reshape(-1).view(np.uint8), self.shared.base
        for address in (source, destination):
            if not 0 <= address - base <= len(memory) - size:
                raise ProgramError(f"memory at 0x{address:08X} is outside the window")
        copied = memory[source - base : source - base + size].copy()
        memory[destination - base : destination - base + size] = copied

    def judge(self, labels: Words, close: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which samples are accepted, and count them; their labels are valid from now on.

        Args:
            labels: label of each sample.
            close: whether the distance of each sample is below the limit.
        """
        self._accessed("labels", np.unique(labels), write=True)
        accept: NDArray[np.bool_] = self.shared.valid[labels] & close
        np.add.at(self.shared.judged, (np.where(accept, 0, 1), labels), 1)
        self.shared.valid[labels] = True
        return accept

    def touch(self, space: str, words: Words) -> None:
        """Check that `words` of a buffer may be read."""
        self._within(space, words)
        unwritten = ~self._written[space][words]
        if unwritten.any():
            word = int(words[int(unwritten.argmax())])
            raise ProgramError(f"{space} word {word} is read before anything wrote it")
        self._accessed(space, words, write=False)

    def _claim(self, space: str, words: Words) -> None:
        self._within(space, words)
        self._accessed(space, words, write=True)
        self._written[space][words] = True

    def _within(self, space: str, words: Words) -> None:
        low, high = int(words.min()), int(words.max())
        if low < 0 or high >= self.sizes[space]:
            raise ProgramError(f"{space} words {low} to {high} of a buffer of {self.sizes[space]}")

    def _memory_words(self, addresses: NDArray[np.int64]) -> Words:
        words = (addresses - self.shared.base) // WORD_BYTES
        if words.min() < 0 or words.max() >= len(self.shared.memory):
            raise ProgramError("memory outside the window")
        return words

    def _accessed(self, space: str, words: Words, write: bool) -> None:
        if self.shared.listener:
            self.shared.listener.access(space, words, write)


def outer(slow: Words, fast: Words) -> NDArray[np.int64]:
    """Return all sums, int64 [slow, fast]."""
    return slow[:, None] + fast[None, :]


def distinct(words: NDArray[np.int64], size: int, space: str) -> Words:
    """Return each of `words` once; faster than `np.unique`."""
    low, high = int(words.min()), int(words.max())
    if low < 0 or high >= size:
        raise ProgramError(f"{space} addresses {low} to {high} of a buffer of {size}")
    met = np.zeros(size, np.bool_)
    met[words] = True
    return np.flatnonzero(met)
