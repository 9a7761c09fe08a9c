"""The SGD step of a layer's weights and biases."""

from __future__ import annotations

from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.ordering import GRANULE
from specbp.overlay.compiler.shapes import Trained
from specbp.overlay.compiler.splitting import spans
from specbp.overlay.isa import WORD_BYTES, Buffer, Sgd

STATE_WORDS = 2
"""Words of four int32."""


def emit_update(emitter: Emitter, layer: str, trained: Trained) -> None:
    """Emit the steps of weights and biases; a host puts in their factors."""
    _emit(
        emitter, layer, "weight update", trained.weight_words, trained.weight_state, trained.weight
    )
    _emit(emitter, layer, "bias update", trained.bias_words, trained.bias_state, None)


def _emit(
    emitter: Emitter,
    layer: str,
    work: str,
    fours: int,
    state: tuple[int, int, int],
    weight: int | None,
) -> None:
    emitter.begin(layer, work)
    most = min(emitter.scalar.half // (3 * STATE_WORDS), emitter.output.half // 5)
    # Pieces that share no granule: what one stores is not what the next loads.
    for first, end in spans(fours, most, GRANULE):
        count = end - first
        emitter.at(f"fours {first}..{end - 1}")
        size = STATE_WORDS * count
        base = emitter.scalar.take(3 * size)
        for place, address in enumerate(state):
            start = address + STATE_WORDS * first * WORD_BYTES
            emitter.load(start, Buffer.SCALAR, base + place * size, size)
        result = emitter.output.take(5 * count)
        emitter.emit(Sgd(base, base + size, base + 2 * size, result, count))
        for place, address in enumerate(state[:2]):
            start = address + STATE_WORDS * first * WORD_BYTES
            emitter.store(start, result + place * size, size)
        if weight is not None:
            emitter.store(weight + first * WORD_BYTES, result + 2 * size, count)
