"""Softmax of a batch, and the deltas at its logits."""

from __future__ import annotations

from dataclasses import dataclass

from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.limits import too_large
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap
from specbp.overlay.compiler.splitting import spans
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Buffer, Softmax

FRACTION_OFFSET = 6
"""The descriptor takes the fraction bits of the logits plus this."""


@dataclass(frozen=True)
class SoftmaxMaps:
    """Where softmax reads and writes.

    Attributes:
        logits: one position a sample.
        labels: address of an int16 for each sample.
        probabilities: like the logits.
        deltas: input gradients; None where they are not wanted.
    """

    logits: FeatureMap
    labels: int
    probabilities: FeatureMap
    deltas: FeatureMap | None


def emit_softmax(emitter: Emitter, maps: SoftmaxMaps, fraction_bits: int) -> None:
    """Emit the softmax of all samples.

    Raises:
        UsageError: four samples do not fit the buffers.
    """
    layer = "softmax"
    emitter.begin(layer, "forward")
    words = maps.logits.shape.words
    # A word holds the labels of four samples.
    inputs = emitter.scalar.half // (PER_WORD * words + 1)
    outputs = emitter.output.half // (2 * PER_WORD * words)
    if not inputs or not outputs:
        needs = (
            (PER_WORD * words + 1, emitter.scalar.half, "words of the scalar buffer"),
            (2 * PER_WORD * words, emitter.output.half, "words of the output buffer"),
        )
        raise too_large(layer, "pass over four samples", needs)
    most = PER_WORD * min(inputs, outputs)
    for first, end in spans(maps.logits.samples, most, PER_WORD):
        count = end - first
        emitter.at(f"samples {first}..{end - 1}")
        label_words = -(-count // PER_WORD)
        logits = emitter.scalar.take(count * words + label_words)
        labels = logits + count * words
        samples = [maps.logits.moves(first, count, words)]
        emitter.load(maps.logits.at(first, 0, 0), Buffer.SCALAR, logits, words, samples)
        address = maps.labels + first // PER_WORD * WORD_BYTES
        emitter.load(address, Buffer.SCALAR, labels, label_words)
        result = emitter.output.take(2 * count * words)
        emitter.emit(
            Softmax(
                logits,
                PER_WORD * labels,
                result,
                result + count * words,
                maps.logits.shape.channels,
                fraction_bits + FRACTION_OFFSET,
                count,
            )
        )
        for map_, start in ((maps.probabilities, result), (maps.deltas, result + count * words)):
            if map_ is not None:
                samples = [map_.moves(first, count, words)]
                emitter.store(map_.at(first, 0, 0), start, words, samples)
