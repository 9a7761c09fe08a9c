"""The update of the weights of a training on the processor, in parts or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from specbp.arithmetic import Arithmetic, UpdatePart, UpdateRule
from specbp.arithmetic.float32 import PredictingPart, predict, predicting_parts
from specbp.network import Weights
from specbp.schedules.updating import Part


@dataclass(frozen=True)
class Numbers:
    """The numbers of one step.

    Attributes:
        rule: of the update.
        distance: how far the forward of the next step looks ahead, in momenta.
    """

    rule: UpdateRule
    distance: float


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
    parts: Sequence[Part]

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
    ) -> None:
        self._arithmetic = arithmetic
        self._weights, self._momenta = weights, momenta
        self.parts = [
            Part(part.layers, partial(self._do, part))
            for part in arithmetic.update_parts(weights, momenta)
        ]

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
        self.parts = [
            Part(part.layers, partial(self._do_and_predict, part))
            for part in predicting_parts(weights, momenta, ahead)
        ]

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        super().whole(gradients)
        predict(self._weights, self._momenta, self._ahead, self.numbers.distance)

    def _do_and_predict(self, part: PredictingPart, gradients: Sequence[Weights]) -> None:
        part.do(gradients, self.numbers.rule, self.numbers.distance)
