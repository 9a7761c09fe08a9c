"""The update of the weights of a training on the processor, in parts or all at once."""

from __future__ import annotations

from collections.abc import Sequence

from specbp.arithmetic import Arithmetic, Numbers, UpdatePart
from specbp.arithmetic.float32 import predict, predicting_parts
from specbp.network import Weights


class PlainUpdate:
    """The update of the arithmetic; see `specbp.schedules.updating.Update`.

    Args:
        arithmetic: the number format of the weights.
        weights: of each layer with weights, in forward order; they stay where they are.
        momenta: likewise.

    Attributes:
        numbers: of the step in progress; to be set before its update.
        parts: of the update; the same ones for every step.
    """

    numbers: Numbers
    parts: Sequence[UpdatePart]

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
    ) -> None:
        self._arithmetic = arithmetic
        self._weights, self._momenta = weights, momenta
        self.parts = arithmetic.update_parts(weights, momenta)

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        self._arithmetic.update(self._weights, self._momenta, gradients, self.numbers.rule)


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
        self.parts = predicting_parts(weights, momenta, ahead)

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        super().whole(gradients)
        predict(self._weights, self._momenta, self._ahead, self.numbers.distance)
