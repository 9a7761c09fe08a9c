"""The SGD step of a layer's weights and biases."""

from __future__ import annotations

from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.ordering import GRANULE
from specbp.overlay.compiler.shapes import Trained
from specbp.overlay.compiler.splitting import Span, size, spans
from specbp.overlay.core_state import WORD_BYTES
from specbp.overlay.instructions import Buffer, Sgd

STATE_WORDS = 2
"""Words of four int32."""


def emit_update(
    emitter: Emitter, layer: str, trained: Trained, fours: Span | None = None, bias: bool = True
) -> None:
    """Emit the steps of weights and biases; a host puts in their factors.

    Args:
        emitter: takes the descriptors.
        layer: name of the layer.
        trained: what it trains.
        fours: elements of the weights, in fours; all unless given. Begins at a multiple of
            `GRANULE`.
        bias: whether the bias is wanted, too.
    """
    weights = fours or (0, trained.weight_words)
    _emit(emitter, layer, "weight update", weights, trained.weight_state, trained.weight)
    if bias:
        everything = 0, trained.bias_words
        _emit(emitter, layer, "bias update", everything, trained.bias_state, None)


def _emit(
    emitter: Emitter,
    layer: str,
    work: str,
    fours: Span,
    state: tuple[int, int, int],
    weight: int | None,
) -> None:
    emitter.begin(layer, work)
    most = min(emitter.scalar.half // (3 * STATE_WORDS), emitter.output.half // 5)
    # Pieces that share no granule: what one stores is not what the next loads.
    for low, high in spans(size(fours), most, GRANULE):
        first, end = fours[0] + low, fours[0] + high
        count = end - first
        emitter.at(f"fours {first}..{end - 1}")
        words = STATE_WORDS * count
        base = emitter.scalar.take(3 * words)
        for place, address in enumerate(state):
            start = address + STATE_WORDS * first * WORD_BYTES
            emitter.load(start, Buffer.SCALAR, base + place * words, words)
        result = emitter.output.take(5 * count)
        emitter.emit(Sgd(base, base + words, base + 2 * words, result, count))
        for place, address in enumerate(state[:2]):
            start = address + STATE_WORDS * first * WORD_BYTES
            emitter.store(start, result + place * words, words)
        if weight is not None:
            emitter.store(weight + first * WORD_BYTES, result + 2 * words, count)
