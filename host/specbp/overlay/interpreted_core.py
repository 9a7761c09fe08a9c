"""One core of the overlay, and what cores share, on numpy arrays, exact to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specbp.errors import SpecbpError
from specbp.overlay.integers import (
    INT16_MAX,
    INT32_MAX,
    requantised,
    sgd_step,
    softmax,
    wrapped,
)
from specbp.overlay.isa import (
    LABELS,
    MAC_REDUCING,
    TABLE_ENTRIES,
    WORD_BYTES,
    Addend,
    Buffer,
    Copy,
    Descriptor,
    ElementWise,
    End,
    Fill,
    Gate,
    Load,
    LoadIndex,
    LoadTransposed,
    Loops,
    Mac,
    Mask,
    Maximum,
    Moves,
    Nop,
    Result,
    Select,
    Sgd,
    Skip,
    Softmax,
    Store,
    Total,
)
from specbp.overlay.parameters import Parameters
from specbp.overlay.races import RaceDetector

Words = NDArray[np.int64]
"""Word numbers."""

PER_WORD = 4
"""int16 in a word; words of a row of the partial buffer count as one here."""
ONE = 1 << 14
"""1.0 as a probability."""
MOST_PRODUCTS = 1 << 22
"""With more products of int16 a float64 sum could lose bits."""


class ProgramError(SpecbpError):
    """A descriptor reaches outside a buffer or the memory, or reads what nothing has written."""


@dataclass
class Shared:
    """What the cores share.

    Attributes:
        memory: int16 [words, 4].
        base: physical address of the first byte.
        valid: whether each label may be accepted.
        judged: int64 [2, labels]: accepts and rejects of each label.
        detector: detector of races; None where nobody looks for them.
    """

    memory: NDArray[np.int16]
    base: int
    valid: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(LABELS, np.bool_))
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, LABELS), np.int64))
    detector: RaceDetector | None = None


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


class InterpretedCore:
    """A core: its buffers, and what each descriptor does to them.

    Args:
        parameters: parameters of the core.
        shared: what it shares with the other.
    """

    def __init__(self, parameters: Parameters, shared: Shared) -> None:
        self._groups = parameters.groups
        self._shared = shared
        self._sizes = spaces(parameters)
        self._buffers = {
            space: np.zeros(words * PER_WORD, np.int16)
            for space, words in self._sizes.items()
            if space not in ("partial", "table")
        }
        self._partial = np.zeros((parameters.partial_rows, PER_WORD), np.int64)
        self._table = np.zeros(TABLE_ENTRIES, np.uint16)
        self._written = {space: np.zeros(words, np.bool_) for space, words in self._sizes.items()}

    def skips(self, it: Skip) -> bool:
        """Return whether `it` skips what follows."""
        entry = int(self._entries(np.array([it.entry]))[0])
        return (entry > it.limit) == it.above

    def execute(self, descriptor: Descriptor) -> None:
        """Do what `descriptor` says.

        Raises:
            ProgramError: the program is not valid.
            RaceError: the result would depend on timing.
        """
        match descriptor:
            case Nop() | End() | Skip():
                pass
            case Copy():
                self._copy(descriptor)
            case Load():
                self._load(descriptor)
            case Fill():
                self._fill(descriptor)
            case LoadTransposed():
                self._load_transposed(descriptor)
            case LoadIndex():
                self._load_index(descriptor)
            case Store():
                self._store(descriptor)
            case Mac():
                self._mac(descriptor)
            case Softmax():
                self._softmax(descriptor)
            case Sgd():
                self._sgd(descriptor)
            case Gate():
                self._gate(descriptor)
            case _:
                self._element_wise(descriptor)

    def _copy(self, it: Copy) -> None:
        memory, base = self._shared.memory.reshape(-1).view(np.uint8), self._shared.base
        for address in (it.source, it.destination):
            if not 0 <= address - base <= len(memory) - it.size:
                raise ProgramError(f"memory at 0x{address:08X} is outside the window")
        source, destination = it.source - base, it.destination - base
        memory[destination : destination + it.size] = memory[source : source + it.size].copy()

    # Moves

    def _load(self, it: Load) -> None:
        values = self._read_memory(it.address + self._places(it))
        space = Buffer(it.buffer).name.lower()
        self._write(space, it.base + _pattern(it.run, it.moves), values)

    def _fill(self, it: Fill) -> None:
        words = it.base + _pattern(it.run, it.moves)
        values = np.full((len(words), PER_WORD), it.value, np.int16)
        self._write(Buffer(it.buffer).name.lower(), words, values)

    def _load_index(self, it: LoadIndex) -> None:
        values = self._read_memory(it.address + np.arange(it.run) * WORD_BYTES)
        entries = it.base + np.arange(it.run)
        self._accessed("table", entries, write=True)
        self._written["table"][entries] = True
        self._table[entries] = values[:, it.element].view(np.uint16)

    def _load_transposed(self, it: LoadTransposed) -> None:
        starts = it.address + self._places(it)
        rows = [self._read_memory(starts + row * it.row) for row in range(PER_WORD)]
        # [repeats, elements of a run, row]
        elements = it.run * PER_WORD
        values = np.stack([row.reshape(-1, elements) for row in rows], axis=2)
        first = it.base + _pattern(1, it.moves)
        words = first[:, None] + np.arange(elements) * self._groups
        self._write("vector", words.ravel(), values.reshape(-1, PER_WORD))

    def _store(self, it: Store) -> None:
        values = self._read("output", it.base + _pattern(it.run, it.moves))
        words = self._memory_words(it.address + self._places(it))
        self._accessed("memory", words, write=True)
        self._shared.memory[words] = values

    def _places(self, it: Load | LoadTransposed | Store) -> Words:
        """Return the offsets in memory of a move, in order, in bytes."""
        places: Words = np.arange(0, it.run * WORD_BYTES, WORD_BYTES)
        for move in it.moves:
            repeats = np.arange(move.count)
            if move.table is not None:
                repeats = self._entries(move.table + repeats)
            places = _outer(repeats * move.memory, places).ravel()
        return places

    def _entries(self, entries: Words) -> Words:
        """Return entries of the index table."""
        self._touch("table", entries)
        return self._table[entries].astype(np.int64)

    # Compute

    def _mac(self, it: Mac) -> None:
        if it.groups > self._groups:
            raise ProgramError(f"{it.groups} groups of lanes of {self._groups}")
        reducing, counting = it.loops[:MAC_REDUCING], it.loops[MAC_REDUCING:]
        a = it.scalars + _outer(_offsets(counting, "a"), _offsets(reducing, "a"))
        b = it.vectors + _outer(_offsets(counting, "b"), _offsets(reducing, "b"))
        self._touch("scalar", _distinct(a // PER_WORD, self._sizes["scalar"], "scalar"))
        rows = _distinct(b, self._sizes["vector"] // self._groups, "vector")
        self._touch("vector", _outer(rows * self._groups, np.arange(it.groups)).ravel())
        scalars = self._buffers["scalar"]
        vectors = self._buffers["vector"].reshape(-1, self._groups * PER_WORD)
        vectors = vectors[:, : it.groups * PER_WORD]
        if a.shape[1] > MOST_PRODUCTS:
            raise ProgramError(f"{a.shape[1]} products of a result are more than this can sum up")
        if not np.ptp(_offsets(counting, "b")):
            # All results use the same rows: one product of matrices, exact in float64.
            sums = scalars[a].astype(np.float64) @ vectors[b[0]].astype(np.float64)
        else:
            sums = np.stack(
                [
                    scalars[of_a].astype(np.float64) @ vectors[of_b].astype(np.float64)
                    for of_a, of_b in zip(a, b, strict=True)
                ]
            )
        self._finish_mac(it, sums.astype(np.int64).reshape(-1, PER_WORD))

    def _finish_mac(self, it: Mac, sums: NDArray[np.int64]) -> None:
        """Add the addend to `sums`, int64 [results * groups, 4], and write the result."""
        places: Words = np.arange(len(sums), dtype=np.int64)
        if it.addend == Addend.BIAS:
            bias_rows = it.addend_base + np.arange(it.groups)
            pairs = self._read("bias", _outer(2 * bias_rows, np.arange(2)).ravel())
            biases = pairs.reshape(-1).view(np.int32).astype(np.int64) << it.left
            sums = sums + np.tile(biases.reshape(-1, PER_WORD), (len(sums) // it.groups, 1))
        elif it.addend == Addend.PARTIAL:
            rows = places + it.addend_base
            self._touch("partial", rows)
            sums = sums + self._partial[rows]
        sums = wrapped(sums)
        if it.kind == Result.SUMS:
            rows = places + it.result
            self._claim("partial", rows)
            self._partial[rows] = sums
        elif it.kind == Result.INT32:
            pairs = requantised(sums, it.shift, INT32_MAX).astype(np.int32).view(np.int16)
            words = np.arange(2 * len(sums)) + it.result
            self._write("output", words, pairs.reshape(-1, PER_WORD))
        else:
            rounded = requantised(sums, it.shift, INT16_MAX)
            if it.relu:
                rounded = rounded.clip(min=0)
            self._write("output", it.result + places, rounded.astype(np.int16))

    def _element_wise(self, it: ElementWise) -> None:
        reducing = len(it.reducing)

        def operand(base: int, stride: str) -> NDArray[np.int64]:
            """Return int64 [results, reduced, 4]."""
            counted, reduced = it.loops[reducing:], it.loops[:reducing]
            words = base + _outer(_offsets(counted, stride), _offsets(reduced, stride))
            self._touch("scalar", _distinct(words, self._sizes["scalar"], "scalar"))
            found: NDArray[np.int64]
            found = self._buffers["scalar"].reshape(-1, PER_WORD)[words].astype(np.int64)
            return found

        def t() -> NDArray[np.int64]:
            """Return T, int64 [results, reduced, 1]."""
            counted, reduced = it.loops[reducing:], it.loops[:reducing]
            start = 0 if isinstance(it, Total | Mask) else it.t
            return (start + _outer(_offsets(counted, "t"), _offsets(reduced, "t")))[:, :, None]

        a = operand(it.a, "a")
        match it:
            case Maximum():
                found = a.max(1)
                if it.index is not None:
                    where = np.take_along_axis(
                        np.broadcast_to(t(), a.shape), a.argmax(1)[:, None], axis=1
                    )
                    index = where[:, 0].astype(np.int16)
                    self._write("output", it.index + np.arange(len(index)), index)
            case Total():
                found = requantised(a.sum(1), it.shift, INT16_MAX)
            case Mask():
                found = np.where(a > 0, operand(it.b, "b"), 0)[:, 0]
            case Select():
                chosen = np.where(operand(it.b, "b") == t(), a, 0)
                found = requantised(chosen.sum(1), 0, INT16_MAX)
        self._write("output", it.result + np.arange(len(found)), found.astype(np.int16))

    def _softmax(self, it: Softmax) -> None:
        words = -(-it.classes // PER_WORD)
        logits = self._read("scalar", it.logits + np.arange(it.samples * words))
        logits = logits.reshape(it.samples, -1)[:, : it.classes]
        places = it.labels + np.arange(it.samples)
        self._read("scalar", np.unique(places // PER_WORD))
        labels = self._buffers["scalar"][places]
        if labels.min() < 0 or labels.max() >= it.classes:
            raise ProgramError(f"a label is outside 0 to {it.classes - 1}")
        probabilities = softmax(logits.astype(np.int64), it.shift)
        deltas = probabilities.copy()
        deltas[np.arange(it.samples), labels] -= ONE
        for base, values in ((it.probabilities, probabilities), (it.deltas, deltas)):
            whole = np.zeros((it.samples, words * PER_WORD), np.int16)
            whole[:, : it.classes] = values
            self._write("output", base + np.arange(it.samples * words), whole.reshape(-1, PER_WORD))

    def _sgd(self, it: Sgd) -> None:
        masters, momenta, gradients = (
            self._read("scalar", base + np.arange(2 * it.fours))
            .reshape(-1)
            .view(np.int32)
            .astype(np.int64)
            for base in (it.masters, it.momenta, it.gradients)
        )
        masters, momenta = sgd_step(masters, momenta, gradients, it.factors)
        pairs = np.stack([masters, momenta]).astype(np.int32).reshape(-1).view(np.int16)
        weights = requantised(masters, 16, INT16_MAX).astype(np.int16)
        everything = np.concatenate([pairs, weights]).reshape(-1, PER_WORD)
        self._write("output", it.result + np.arange(len(everything)), everything)

    def _gate(self, it: Gate) -> None:
        size = it.samples * it.sample_words
        actual, cached = (
            self._read("scalar", base + np.arange(size)).reshape(it.samples, -1).astype(np.int64)
            for base in (it.actual, it.cached)
        )
        records = self._read("scalar", it.records + np.arange(it.samples))
        labels = records[:, 0].astype(np.int64)
        if labels.min() < 0 or labels.max() >= LABELS:
            raise ProgramError(f"a label is outside 0 to {LABELS - 1}")
        differences = np.abs(actual - cached)
        distances = differences.sum(1) if it.total else differences.max(1)
        self._accessed("labels", np.unique(labels), write=True)
        accept = self._shared.valid[labels] & (distances < it.limit)
        np.add.at(self._shared.judged, (np.where(accept, 0, 1), labels), 1)
        self._shared.valid[labels] = True
        slots = np.where(accept, records[:, 1], records[:, 2])
        verdicts = np.zeros((2 * it.samples + 1, PER_WORD), np.int16)
        distances16 = distances.clip(max=0xFFFF).astype(np.uint16).view(np.int16)
        verdicts[: it.samples, :3] = np.stack([accept, distances16, slots], axis=1)
        rejected = np.flatnonzero(~accept)
        if len(rejected):
            padded = np.append(rejected, np.full(it.samples - len(rejected), rejected[-1]))
            verdicts[it.samples : -1, :2] = np.stack([records[padded, 2], padded], axis=1)
        verdicts[-1, :2] = it.samples - len(rejected), len(rejected)
        self._write("output", it.result + np.arange(len(verdicts)), verdicts)

    # Memory and buffers

    def _memory_words(self, addresses: NDArray[np.int64]) -> Words:
        words = (addresses - self._shared.base) // WORD_BYTES
        if words.min() < 0 or words.max() >= len(self._shared.memory):
            raise ProgramError("memory outside the window")
        return words

    def _read_memory(self, addresses: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return int16 [words, 4]."""
        words = self._memory_words(addresses)
        self._accessed("memory", words, write=False)
        return self._shared.memory[words]

    def _read(self, space: str, words: Words) -> NDArray[np.int16]:
        """Return int16 [words, 4] of a buffer."""
        self._touch(space, words)
        return self._buffers[space].reshape(-1, PER_WORD)[words]

    def _touch(self, space: str, words: Words) -> None:
        """Check that `words` of a buffer may be read."""
        self._within(space, words)
        unwritten = ~self._written[space][words]
        if unwritten.any():
            word = int(words[int(unwritten.argmax())])
            raise ProgramError(f"{space} word {word} is read before anything wrote it")
        self._accessed(space, words, write=False)

    def _write(self, space: str, words: Words, values: NDArray[np.int16]) -> None:
        """Write int16 [words, 4]."""
        self._claim(space, words)
        self._buffers[space].reshape(-1, PER_WORD)[words] = values

    def _claim(self, space: str, words: Words) -> None:
        self._within(space, words)
        self._accessed(space, words, write=True)
        self._written[space][words] = True

    def _within(self, space: str, words: Words) -> None:
        low, high = int(words.min()), int(words.max())
        if low < 0 or high >= self._sizes[space]:
            raise ProgramError(f"{space} words {low} to {high} of a buffer of {self._sizes[space]}")

    def _accessed(self, space: str, words: Words, write: bool) -> None:
        if self._shared.detector:
            self._shared.detector.access(space, words, write)


def _pattern(run: int, moves: Moves) -> Words:
    """Return the places of a move in a buffer, in order, in words."""
    places: Words = np.arange(run)
    for move in moves:
        places = _outer(np.arange(move.count) * move.buffer, places).ravel()
    return places


def _offsets(loops: Loops, side: str) -> Words:
    """Return what nested loops add to an address, in order."""
    offsets: Words = np.zeros(1, np.int64)
    for loop in loops:
        stride: int = getattr(loop, side)
        offsets = _outer(np.arange(loop.count) * stride, offsets).ravel()
    return offsets


def _outer(slow: Words, fast: Words) -> NDArray[np.int64]:
    """Return all sums, int64 [slow, fast]."""
    return slow[:, None] + fast[None, :]


def _distinct(words: NDArray[np.int64], size: int, space: str) -> Words:
    """Return each of `words` once; faster than `np.unique`."""
    low, high = int(words.min()), int(words.max())
    if low < 0 or high >= size:
        raise ProgramError(f"{space} addresses {low} to {high} of a buffer of {size}")
    found = np.zeros(size, np.bool_)
    found[words] = True
    return np.flatnonzero(found)
