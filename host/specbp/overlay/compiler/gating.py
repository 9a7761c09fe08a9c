"""The gate: which samples of a batch may keep what was speculated for them."""

from __future__ import annotations

from specbp.errors import UsageError
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.shapes import FeatureMap
from specbp.overlay.instructions import Buffer, Gate
from specbp.overlay.instructions.gate import MOST_GATED


def emit_gate(
    emitter: Emitter,
    actual: FeatureMap,
    cached: FeatureMap,
    records: int,
    verdicts: int,
    total: bool,
) -> None:
    """Emit the gate of a whole batch.

    Args:
        emitter: takes the descriptors.
        actual: softmax of the forward.
        cached: softmax of what was speculated with.
        records: address of a word for each sample.
        verdicts: address of two words for each sample, and one more.
        total: whether the distance is the sum of all differences, not the largest.

    Raises:
        UsageError: the batch does not fit the buffers.
    """
    emitter.begin("gate", "gate")
    words, samples = actual.shape.words, actual.samples
    inputs, results = (2 * words + 1) * samples, 2 * samples + 1
    for need, most, what in (
        (inputs, emitter.scalar.whole, "words of the scalar buffer"),
        (results, emitter.output.whole, "words of the output buffer"),
        (samples, MOST_GATED, "samples"),
    ):
        if need > most:
            raise UsageError(
                f"the gate of a batch of {samples} samples with {actual.shape.channels} classes "
                f"needs {need} {what}, of which it has {most}: take smaller batches"
            )
    base = emitter.scalar.take(inputs)
    cached_base, records_base = base + words * samples, base + 2 * words * samples
    for map_, start in ((actual, base), (cached, cached_base)):
        moves = [map_.moves(0, samples, words)]
        emitter.load(map_.at(0, 0, 0), Buffer.SCALAR, start, words, moves)
    emitter.load(records, Buffer.SCALAR, records_base, samples)
    result = emitter.output.take(results)
    emitter.emit(Gate(base, cached_base, records_base, result, words, total, samples))
    emitter.store(verdicts, result, results)
