"""Tensors as they lie in memory.

Everything a layer reads or writes is channels-last, [sample][row][column][channel], its channels
filled up with zeros to whole words of four int16. Weights are [row][column][input][output], inputs
and outputs filled up likewise. What is filled up is zero from the start and stays so: weights of
zero give outputs and gradients of zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from specbp.network import Pair
from specbp.overlay.compiler.splitting import Span
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Move

PER_WORD = 4
"""int16 in a word."""


def words_of(channels: int) -> int:
    """Return the words of one position of so many channels."""
    return -(-channels // PER_WORD)


@dataclass(frozen=True)
class Shape:
    """Shape of one sample of a feature map."""

    channels: int
    rows: int
    columns: int

    @property
    def words(self) -> int:
        """Words of one position."""
        return words_of(self.channels)

    @property
    def positions(self) -> int:
        """Positions of a sample."""
        return self.rows * self.columns


@dataclass(frozen=True)
class FeatureMap:
    """An int16 tensor [samples][rows][columns][channels] in memory, or samples picked from one.

    Attributes:
        address: physical; of sample 0, or of slot 0.
        samples: how many.
        shape: shape of a sample.
        table: first entry of the index table where sample i lies in the slot that the entry
            table + i names; None where samples lie one after the other.
    """

    address: int
    samples: int
    shape: Shape
    table: int | None = None

    @property
    def position_bytes(self) -> int:
        """From a position to the next in its row."""
        return self.shape.words * WORD_BYTES

    @property
    def row_bytes(self) -> int:
        """From a row to the next."""
        return self.shape.columns * self.position_bytes

    @property
    def sample_bytes(self) -> int:
        """From a sample to the next."""
        return self.shape.rows * self.row_bytes

    @property
    def total_words(self) -> int:
        """Words of the whole tensor."""
        return self.samples * self.sample_bytes // WORD_BYTES

    def part(self, first: int, count: int) -> FeatureMap:
        """Return `count` of the samples, from `first` on."""
        if self.table is None:
            return replace(self, address=self.address + first * self.sample_bytes, samples=count)
        return replace(self, samples=count, table=self.table + first)

    def through(self, table: int, count: int) -> FeatureMap:
        """Return the `count` samples whose slots the index table has from entry `table` on."""
        return replace(self, samples=count, table=table)

    def moves(self, first: int, count: int, buffer: int) -> Move:
        """Return the outermost move over samples from `first` on.

        Args:
            first: first of the samples.
            count: number of samples.
            buffer: words from a sample to the next.
        """
        return move_over(self.sample_bytes, self.table, first, count, buffer)

    def at(self, sample: int, row: int, column: int, word: int = 0) -> int:
        """Return the address of a word of a position; of slot 0 where samples are picked."""
        return (
            self.address
            + (sample * self.sample_bytes if self.table is None else 0)
            + row * self.row_bytes
            + column * self.position_bytes
            + word * WORD_BYTES
        )


def taps_met(first: int, taps: int, inputs: int) -> Span:
    """Return which of `taps`, from position `first` on, lie on `inputs` positions, not on padding.

    Args:
        first: position of the first tap; may be negative.
        taps: along one dimension.
        inputs: layer inputs of each layer.
    """
    return max(-first, 0), min(taps, inputs - first)


def move_over(pitch: int, table: int | None, first: int, count: int, buffer: int) -> Move:
    """Return the move over samples `pitch` bytes apart; see `FeatureMap.moves`."""
    return Move(count, pitch, buffer, None if table is None else table + first)


@dataclass(frozen=True)
class Window:
    """How windows slide over an input: kernel, stride and padding, each (vertical, horizontal)."""

    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True)
class Trained:
    """What a layer trains, in memory: [rows][columns][inputs][outputs] and [outputs].

    Attributes:
        kernel: (rows, columns).
        inputs: channels.
        outputs: channels.
        weight: address of the int16 weights.
        weight_state: addresses of master, momentum and gradient, all int32 in the same order.
        bias_state: momentum and master of the bias.
    """

    kernel: Pair
    inputs: int
    outputs: int
    weight: int
    weight_state: tuple[int, int, int]
    bias_state: tuple[int, int, int]

    @property
    def input_bytes(self) -> int:
        """From an input of the int16 weights to the next."""
        return words_of(self.outputs) * WORD_BYTES

    @property
    def column_bytes(self) -> int:
        """From a column of the kernel to the next."""
        return words_of(self.inputs) * PER_WORD * self.input_bytes

    @property
    def row_bytes(self) -> int:
        """From a row of the kernel to the next."""
        return self.kernel[1] * self.column_bytes

    @property
    def weight_words(self) -> int:
        """Words of the int16 weights; fours of elements."""
        return self.kernel[0] * self.row_bytes // WORD_BYTES

    @property
    def bias_words(self) -> int:
        """Fours of elements of the bias."""
        return words_of(self.outputs)

    def at(self, row: int, column: int, first_input: int, output_word: int) -> int:
        """Return the address of a word of the int16 weights."""
        return (
            self.weight
            + row * self.row_bytes
            + column * self.column_bytes
            + first_input * self.input_bytes
            + output_word * WORD_BYTES
        )
