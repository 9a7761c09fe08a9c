"""The passes of one network in one arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Layer, Network, Weights
from specbp.schedules import passes
from specbp.schedules.outcome import Outcome

Delta = tuple[int, Tensor]
"""Index of a layer with weights, and the gradient at its output."""


class Chain:
    """The passes of a network, computed layer by layer.

    Args:
        network: the chain of layers.
        arithmetic: number format of the training.

    Attributes:
        network: as given.
        arithmetic: likewise.
        positions: among the layers with weights, of each of them by its index in the network.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        self.network = network
        self.arithmetic = arithmetic
        weighted = [index for index, layer in enumerate(network.layers) if layer.has_weights]
        self.positions = {index: position for position, index in enumerate(weighted)}

    def forward(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor
    ) -> tuple[Outcome, Tensor]:
        """Return the outcome of a batch and the loss of each sample [batch], in nat."""
        return passes.forward(self.network, self.arithmetic, weights, images, labels)

    def refreshed(self, weights: Sequence[Weights], outcome: Outcome, layers: int) -> Outcome:
        """Evaluate the last `layers` layers with weights again; see `passes.refreshed`."""
        return passes.refreshed(self.network, self.arithmetic, weights, outcome, layers)

    def deltas(
        self, weights: Sequence[Weights], outcome: Outcome, labels: Tensor, batch_size: int
    ) -> list[Delta]:
        """Return the delta of each layer with weights, the last first, from softmax - one-hot.

        Args:
            weights: of each layer with weights, in forward order.
            outcome: whose softmax and masks are used.
            labels: int64 [batch], of the one-hot.
            batch_size: of the whole step, also when `outcome` has only some of its samples.
        """
        return list(self._propagated(weights, outcome, labels, batch_size))

    def deltas_in_turn(
        self, weights: Sequence[Weights], outcome: Outcome, labels: Tensor, batch_size: int
    ) -> Iterator[Delta]:
        """Yield what `deltas` returns, each where possible before the next is computed."""
        return self._propagated(weights, outcome, labels, batch_size)

    def weight_gradients(
        self, inputs: Sequence[Tensor | None], deltas: Sequence[Delta]
    ) -> list[Weights]:
        """Return the weight gradients of each layer with weights, in forward order.

        Args:
            inputs: `Outcome.inputs`.
            deltas: as `deltas` returns them.
        """
        in_order = [delta for _, delta in reversed(deltas)]
        return passes.weight_gradients(self.network, self.weight_gradient, inputs, in_order)

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the weight gradient of one layer, summed over the batch."""
        return self.arithmetic.weight_gradient(layer, x, delta)

    def _propagated(
        self, weights: Sequence[Weights], outcome: Outcome, labels: Tensor, batch_size: int
    ) -> Iterator[Delta]:
        delta = self.arithmetic.logit_gradient(outcome.probabilities, labels, batch_size)
        return passes.propagate(self.network, self.arithmetic, weights, outcome.masks, delta)
