"""The update of the weights of a training on the processor, in parts or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from specbp.arithmetic import Arithmetic, UpdatePart
from specbp.arithmetic.float32 import PlainPart, PredictingPart, predict, predicting_parts
from specbp.network import Weights
from specbp.schedules.updating import Numbers, Part


class PlainUpdate:
    """The update of the arithmetic; see `specbp.schedules.updating.Update`.

    Args:
        arithmetic: the number format of the weights.
        weights: of each layer with weights, in forward order; they stay where they are.
        momenta: likewise.

    Attributes:
        numbers: of the step in progress; to be set before its update.
        parts: of the update; the same ones for every step.
        plain: likewise, by what they consist of; None where they are not PyTorch's own.
    """

    numbers: Numbers
    parts: Sequence[Part]
    plain: Sequence[PlainPart] | None

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
    ) -> None:
        self._arithmetic = arithmetic
        self._weights, self._momenta = weights, momenta
        parts = arithmetic.update_parts(weights, momenta)
        self.parts = [Part(part.layers, partial(self._do, part)) for part in parts]
        plain = [part for part in parts if isinstance(part, PlainPart)]
        self.plain = plain if len(plain) == len(parts) else None

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        self._arithmetic.update(self._weights, self._momenta, gradients, self.numbers.rule)

    def _do(self, part: UpdatePart, gradients: Sequence[Weights]) -> None:
        part.do(gradients, self.numbers.rule)


class PredictingUpdate(PlainUpdate):
    """The same, and where the next forward finds its weights: predicted, in float32.

    Args:
        arithmetic: as in `PlainUpdate`, likewise for the rest.
        weights: of each layer with weights, in forward order.
        momenta: likewise.
        ahead: likewise, the predicted ones.
    """

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
        ahead: Sequence[Weights],
    ) -> None:
        super().__init__(arithmetic, weights, momenta)
        self._ahead = ahead
        parts = predicting_parts(weights, momenta, ahead)
        self.parts = [Part(part.layers, partial(self._do_and_predict, part)) for part in parts]
        self.plain = parts

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        super().whole(gradients)
        predict(self._weights, self._momenta, self._ahead, self.numbers.distance)

    def _do_and_predict(self, part: PredictingPart, gradients: Sequence[Weights]) -> None:
        part.do(gradients, self.numbers.rule)
        part.predict(self.numbers.distance)
