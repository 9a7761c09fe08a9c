"""SOFTMAX: probabilities of samples, and the input gradients at their logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from specbp.overlay.core_state import PER_WORD, CoreState, ProgramError
from specbp.overlay.fields import unsigned, within
from specbp.overlay.instructions.access import Access, Extent
from specbp.overlay.instructions.compute import LARGEST_SHIFT, ComputeDescriptor, Exclusive
from specbp.overlay.instructions.descriptor import UNORDERED, Semaphores
from specbp.overlay.instructions.strides import MOST_COUNT
from specbp.overlay.integers import Integers
from specbp.overlay.register_map import Opcode

LEAST_CLASSES, MOST_CLASSES = 2, 511
START_CYCLES = 1
SAMPLE_CYCLES = 22
CLASS_CYCLES = 19
"""Cycles for each class: two passes over the logits, then a division of 16 cycles and more."""
ONE = 1 << 14
"""1.0 as a probability."""
LOG2_E = 23637
"""log2(e) in steps of 2^-14."""
TABLE = np.floor(2.0 ** (15 - np.arange(256) / 256) + 0.5).astype(np.int64)
"""2^-(k/256) in steps of 2^-15."""
VANISHED = 24
"""Octaves below the largest logit at which nothing is left."""


@dataclass(frozen=True)
class Softmax(ComputeDescriptor):
    """Softmax of samples, and the input gradients at their logits.

    Attributes:
        logits: first word in the scalar buffer.
        labels: first label, int16 elements of the scalar buffer.
        probabilities: first word in the output buffer.
        deltas: address of the input gradients.
        classes: number of classes, 2 to 511.
        shift: fraction bits of the logits, plus 6; 0 to 47.
        samples: number of samples, 1 to 65535.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.SOFTMAX

    logits: int
    labels: int
    probabilities: int
    deltas: int
    classes: int
    shift: int
    samples: int
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        for name in ("logits", "labels", "probabilities", "deltas"):
            unsigned(name, getattr(self, name), 16)
        within("classes", self.classes, LEAST_CLASSES, MOST_CLASSES)
        within("shift", self.shift, 0, LARGEST_SHIFT)
        within("samples", self.samples, 1, MOST_COUNT)

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, results and sizes."""
        return (
            Opcode.SOFTMAX | self.order.bits,
            self.logits | self.labels << 16,
            self.probabilities | self.deltas << 16,
            self.classes | self.shift << 9 | self.samples << 16,
        )

    @property
    def text(self) -> str:
        """Operands and results."""
        return (
            f"{self.samples} of scalar[{self.logits}], labels {self.labels} -> "
            f"output[{self.probabilities}], output[{self.deltas}]"
        )

    @property
    def work(self) -> int:
        """The cycles of its samples."""
        return self.samples * (SAMPLE_CYCLES + CLASS_CYCLES * self.classes)

    @property
    def duration(self) -> Exclusive:
        """The cycles of its samples, and of the beginning."""
        return Exclusive(self.work + START_CYCLES)

    @property
    def _sample_words(self) -> int:
        return -(-self.classes // PER_WORD)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield logits, labels, probabilities and input gradients."""
        words = self._sample_words * self.samples
        yield Access("scalar", self.logits, self.logits + words, False)
        last = self.labels + self.samples - 1
        yield Access("scalar", self.labels // PER_WORD, last // PER_WORD + 1, False)
        for base in (self.probabilities, self.deltas):
            yield Access("output", base, base + words, True)

    def execute(self, core: CoreState) -> None:
        """Write probabilities, and the same less 1 at the labels."""
        words = self._sample_words
        logits = core.read("scalar", self.logits + np.arange(self.samples * words))
        logits = logits.reshape(self.samples, -1)[:, : self.classes]
        elements = self.labels + np.arange(self.samples)
        core.read("scalar", np.unique(elements // PER_WORD))
        labels = core.elements("scalar")[elements]
        if labels.min() < 0 or labels.max() >= self.classes:
            raise ProgramError(f"a label is outside 0 to {self.classes - 1}")
        probabilities = softmax(logits.astype(np.int64), self.shift)
        deltas = probabilities.copy()
        deltas[np.arange(self.samples), labels] -= ONE
        for base, values in ((self.probabilities, probabilities), (self.deltas, deltas)):
            whole = np.zeros((self.samples, words * PER_WORD), np.int16)
            whole[:, : self.classes] = values
            written = base + np.arange(self.samples * words)
            core.write("output", written, whole.reshape(-1, PER_WORD))


def softmax(logits: Integers, shift: int) -> Integers:
    """Return softmax in steps of 2^-14.

    Args:
        logits: [samples, classes].
        shift: fraction bits of the logits, plus 6.
    """
    distance = logits.max(1, keepdims=True) - logits
    position = (LOG2_E * distance + ((1 << shift) >> 1)) >> shift
    octaves, part = position >> 8, position & 255
    exponentials = np.where(
        octaves >= VANISHED, 0, (TABLE[part] << 8) >> octaves.clip(max=VANISHED)
    )
    total = exponentials.sum(1, keepdims=True)
    quotients: Integers = ((exponentials << 14) + (total >> 1)) // total
    return quotients
