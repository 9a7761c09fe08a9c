"""GATE: decides sample by sample whether what was speculated is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from specbp.overlay.core_state import LABELS, PER_WORD, CoreState, ProgramError
from specbp.overlay.fields import unsigned, within
from specbp.overlay.instructions.access import Access, Extent
from specbp.overlay.instructions.compute import ComputeDescriptor, Exclusive
from specbp.overlay.instructions.descriptor import UNORDERED, Semaphores
from specbp.overlay.register_map import Opcode

MOST_GATED = 1023
"""The most samples of a GATE."""
MOST_GATED_WORDS = 128
MOST_LIMIT = (1 << 18) - 1
"""A limit that accepts whatever is valid."""
LIMIT_WORD = 4
"""The word of the descriptor where a host writes the limit for the next step."""
WORD_CYCLES, SAMPLE_CYCLES, END_CYCLES = 2, 5, 5
"""Cycles for each word of a softmax, for each sample beside, and at the end."""


@dataclass(frozen=True)
class Gate(ComputeDescriptor):
    """Judge samples: how far is their softmax from the one they were speculated with?

    Attributes:
        actual: first word of the actual softmax, in the scalar buffer.
        cached: first word of the cached softmax, in the scalar buffer.
        records: first of a word for each sample: label, read slot, write slot.
        result: first word in the output buffer, of two for each sample and one more.
        sample_words: words of a softmax, 1 to 128.
        total: whether the distance is the sum of the differences, not the largest.
        samples: number of samples, 1 to 1023.
        limit: a sample is accepted below it; a host changes it.
        order: waits and signals.
    """

    opcode: ClassVar = Opcode.GATE

    actual: int
    cached: int
    records: int
    result: int
    sample_words: int
    total: bool
    samples: int
    limit: int = 0
    order: Semaphores = UNORDERED

    def __post_init__(self) -> None:
        for name in ("actual", "cached", "records", "result"):
            unsigned(name, getattr(self, name), 16)
        within("sample_words", self.sample_words, 1, MOST_GATED_WORDS)
        within("samples", self.samples, 1, MOST_GATED)
        within("limit", self.limit, 0, MOST_LIMIT)

    @property
    def words(self) -> tuple[int, ...]:
        """Operands, result, sizes and limit."""
        return (
            Opcode.GATE | self.order.bits,
            self.actual | self.cached << 16,
            self.result | self.records << 16,
            self.sample_words | self.total << 8 | self.samples << 16,
            self.limit,
        )

    @property
    def text(self) -> str:
        """Operands, distance, limit and result."""
        distance = "sum" if self.total else "largest"
        return (
            f"{self.samples} of scalar[{self.actual}], scalar[{self.cached}], {distance} below "
            f"{self.limit}, records {self.records} -> output[{self.result}]"
        )

    @property
    def work(self) -> int:
        """Nothing: a gate is never shared out over the cores."""
        return 0

    @property
    def duration(self) -> Exclusive:
        """The cycles of its samples, and of the end."""
        words = self.samples * self.sample_words
        return Exclusive(WORD_CYCLES * words + SAMPLE_CYCLES * self.samples + END_CYCLES)

    def accesses(self, groups: int, extent: Extent) -> Iterator[Access]:
        """Yield both softmax, the records and the results."""
        words = self.samples * self.sample_words
        for base in (self.actual, self.cached):
            yield Access("scalar", base, base + words, False)
        yield Access("scalar", self.records, self.records + self.samples, False)
        yield Access("output", self.result, self.result + 2 * self.samples + 1, True)

    def execute(self, core: CoreState) -> None:
        """Write who is accepted with distance and slot, who is rejected, and how many of both."""
        size = self.samples * self.sample_words
        actual, cached = (
            core.read("scalar", base + np.arange(size)).reshape(self.samples, -1).astype(np.int64)
            for base in (self.actual, self.cached)
        )
        records = core.read("scalar", self.records + np.arange(self.samples))
        labels = records[:, 0].astype(np.int64)
        if labels.min() < 0 or labels.max() >= LABELS:
            raise ProgramError(f"a label is outside 0 to {LABELS - 1}")
        differences = np.abs(actual - cached)
        distances = differences.sum(1) if self.total else differences.max(1)
        accept = core.judge(labels, distances < self.limit)
        slots = np.where(accept, records[:, 1], records[:, 2])
        verdicts = np.zeros((2 * self.samples + 1, PER_WORD), np.int16)
        distances16 = distances.clip(max=0xFFFF).astype(np.uint16).view(np.int16)
        verdicts[: self.samples, :3] = np.stack([accept, distances16, slots], axis=1)
        rejected = np.flatnonzero(~accept)
        if len(rejected):
            padded = np.append(rejected, np.full(self.samples - len(rejected), rejected[-1]))
            verdicts[self.samples : -1, :2] = np.stack([records[padded, 2], padded], axis=1)
        verdicts[-1, :2] = self.samples - len(rejected), len(rejected)
        core.write("output", self.result + np.arange(len(verdicts)), verdicts)
