"""The update of the weights of a training on the processor, layer by layer or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from specbp.arithmetic import Arithmetic, UpdateRule, UpdateTask
from specbp.arithmetic.float32 import predict, predicting_update
from specbp.network import Layer, Network, Weights


@dataclass(frozen=True)
class Numbers:
    """The numbers of one step.

    Attributes:
        rule: of the update.
        distance: how far the forward of the next step looks ahead, in momenta.
    """

    rule: UpdateRule
    distance: float


class Updates(Protocol):
    """The updates of all steps, of weights that stay where they are."""

    def tasks(self, layer: Layer, gradients: Weights, numbers: Numbers) -> Sequence[UpdateTask]:
        """Return the update of one layer as tasks that do not depend on one another."""
        ...

    def whole(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        ...


class PlainUpdates:
    """The updates of the arithmetic.

    Args:
        arithmetic: the number format of the weights.
        network: the chain of layers.
        weights: of each layer with weights, in forward order.
        momenta: likewise.
    """

    def __init__(
        self,
        arithmetic: Arithmetic,
        network: Network,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
    ) -> None:
        self._arithmetic = arithmetic
        self._weights, self._momenta = weights, momenta
        self._of_layer = {
            layer.name: arithmetic.layer_update(layer, w, m)
            for layer, w, m in zip(network.trained, weights, momenta, strict=True)
        }

    def tasks(self, layer: Layer, gradients: Weights, numbers: Numbers) -> Sequence[UpdateTask]:
        """Return the update of one layer as tasks that do not depend on one another."""
        return self._of_layer[layer.name](gradients, numbers.rule)

    def whole(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Update all layers."""
        self._arithmetic.update(self._weights, self._momenta, gradients, numbers.rule)


class PredictingUpdates:
    """The same, and where the next forward finds its weights: predicted, in float32.

    Args:
        plain: the updates.
        network: the chain of layers.
        weights: of each layer with weights, in forward order.
        momenta: likewise.
        ahead: likewise, the predicted ones.
    """

    def __init__(
        self,
        plain: PlainUpdates,
        network: Network,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
        ahead: Sequence[Weights],
    ) -> None:
        self._plain = plain
        self._weights, self._momenta, self._ahead = weights, momenta, ahead
        self._of_layer = {
            layer.name: predicting_update(*places)
            for layer, *places in zip(network.trained, weights, momenta, ahead, strict=True)
        }

    def tasks(self, layer: Layer, gradients: Weights, numbers: Numbers) -> Sequence[UpdateTask]:
        """Return the update of one layer as tasks that do not depend on one another."""
        return self._of_layer[layer.name](gradients, numbers.rule, numbers.distance)

    def whole(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Update all layers."""
        self._plain.whole(gradients, numbers)
        predict(self._weights, self._momenta, self._ahead, numbers.distance)


@dataclass(frozen=True)
class StepUpdate:
    """The update of one step; see `specbp.schedules.updating.Update`.

    Attributes:
        updates: those of all steps.
        numbers: of this one.
    """

    updates: Updates
    numbers: Numbers

    def tasks(self, layer: Layer, gradients: Weights) -> Sequence[UpdateTask]:
        """Return the update of one layer as tasks that do not depend on one another."""
        return self.updates.tasks(layer, gradients, self.numbers)

    def whole(self, gradients: Sequence[Weights]) -> None:
        """Update all layers: the same bits, in the least time that one engine can."""
        self.updates.whole(gradients, self.numbers)
