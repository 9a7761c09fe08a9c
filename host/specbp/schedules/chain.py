"""The passes of one network in one arithmetic, and a faster way to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Layer, Network, Weights
from specbp.schedules import passes
from specbp.schedules.outcome import Outcome
from specbp.schedules.tracing import traced

Delta = tuple[int, Tensor]
"""Index of a layer with weights, and the gradient at its output."""

Recordings = dict[tuple[Any, ...], Callable[..., tuple[Tensor, ...]]]
"""Passes that were traced, by pass or layer, batch size and type of numbers."""
MOST_NETWORKS = 64
"""So many networks have their recordings kept."""


class RecordedPasses(NamedTuple):
    """Passes that were traced, as tensors to tensors.

    Attributes:
        forward: of images, labels and weights; see `TracedChain.outcome_of`.
        deltas: of softmax, labels, weights and masks; of each layer with weights, the last first.
        weight_gradients: of each layer with weights, of its input and its delta.
    """

    forward: Callable[..., tuple[Tensor, ...]]
    deltas: Callable[..., tuple[Tensor, ...]]
    weight_gradients: Sequence[Callable[..., tuple[Tensor, ...]]]


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


class TracedChain(Chain):
    """The same, bit for bit, but forward, deltas and each weight gradient are one call.

    They are traced once for each size that a forward had; see `tracing`. Other sizes are those of
    some samples of a batch, and there is no end to them. Nothing in the passes depends on values.
    Trainings of equal networks in equal arithmetic share what was traced.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        super().__init__(network, arithmetic)
        self._recordings = _recordings(network, arithmetic)
        self._has_mask = [layer.has_mask for layer in network.layers]
        self._has_weights = [layer.has_weights for layer in network.layers]

    def forward(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor
    ) -> tuple[Outcome, Tensor]:
        """Return the outcome of a batch and the loss of each sample [batch], in nat."""

        def function(images: Tensor, labels: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
            outcome, losses = super(TracedChain, self).forward(_paired(flat), images, labels)
            tensors = (*outcome.masks, *outcome.inputs)
            return (losses, outcome.probabilities, *(one for one in tensors if one is not None))

        key = ("forward", len(labels))
        return self.outcome_of(
            labels, self._replay(key, function, (images, labels, *chain(*weights)))
        )

    def outcome_of(self, labels: Tensor, results: Sequence[Tensor]) -> tuple[Outcome, Tensor]:
        """Return what `forward` does, given the results of its recording."""
        losses, probabilities, *rest = results
        remaining = iter(rest)
        masks = tuple([next(remaining) if has_one else None for has_one in self._has_mask])
        inputs = tuple([next(remaining) if has_one else None for has_one in self._has_weights])
        return Outcome(labels, probabilities, masks, inputs), losses

    def results_of(self, outcome: Outcome) -> list[Tensor]:
        """Return the results of the recording of forward, given what was made of them.

        The losses, which nothing is made of, are left empty.
        """
        tensors = (*outcome.masks, *outcome.inputs)
        there = [one for one in tensors if one is not None]
        return [outcome.probabilities.new_empty(0), outcome.probabilities, *there]

    def recorded(
        self, weights: Sequence[Weights], images: Tensor, labels: Tensor, batch_size: int
    ) -> RecordedPasses:
        """Return the recordings of the passes of such a batch, and make them if need be.

        Args:
            weights: as passes take them, likewise for the rest.
            images: [batch, channels, height, width].
            labels: int64 [batch].
            batch_size: of the whole step.
        """
        outcome, _ = self.forward(weights, images, labels)
        deltas = self.deltas(weights, outcome, labels, batch_size)
        self.weight_gradients(outcome.inputs, deltas)
        count, dtype = len(labels), images.dtype
        return RecordedPasses(
            self._recordings["forward", count, dtype],
            self._recordings["deltas", count, batch_size, dtype],
            [self._recordings[layer.name, count, dtype] for layer in self.network.trained],
        )

    def deltas(
        self, weights: Sequence[Weights], outcome: Outcome, labels: Tensor, batch_size: int
    ) -> list[Delta]:
        """Return the delta of each layer with weights, the last first, from softmax - one-hot."""
        if not self._had_forward(outcome.probabilities):
            return super().deltas(weights, outcome, labels, batch_size)
        nothing = (None,) * len(self.network.layers)

        def function(probabilities: Tensor, labels: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
            flat, masks = tensors[:count], iter(tensors[count:])
            per_layer = tuple(next(masks) if has_one else None for has_one in self._has_mask)
            given = Outcome(labels, probabilities, per_layer, nothing)
            found = super(TracedChain, self).deltas(_paired(flat), given, labels, batch_size)
            return tuple(delta for _, delta in found)

        count = 2 * len(weights)
        key = ("deltas", len(labels), batch_size)
        masks = (one for one in outcome.masks if one is not None)
        found = self._replay(
            key, function, (outcome.probabilities, labels, *chain(*weights), *masks)
        )
        return list(zip(reversed(self.positions), found, strict=True))

    def deltas_in_turn(
        self, weights: Sequence[Weights], outcome: Outcome, labels: Tensor, batch_size: int
    ) -> Iterator[Delta]:
        """Yield what `deltas` returns; there is one call, so that all come at once."""
        yield from self.deltas(weights, outcome, labels, batch_size)

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the weight gradient of one layer, summed over the batch."""
        if not self._had_forward(delta):
            return super().weight_gradient(layer, x, delta)

        def function(x: Tensor, delta: Tensor) -> tuple[Tensor, ...]:
            return self.arithmetic.weight_gradient(layer, x, delta)

        weight, bias = self._replay((layer.name, len(delta)), function, (x, delta))
        return weight, bias

    def _had_forward(self, one: Tensor) -> bool:
        """Return whether a forward had as many samples, and numbers, as `one`."""
        return ("forward", len(one), one.dtype) in self._recordings

    def _replay(
        self,
        key: tuple[Any, ...],
        function: Callable[..., tuple[Tensor, ...]],
        arguments: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        key = (*key, arguments[0].dtype)
        if key not in self._recordings:
            self._recordings[key] = traced(function, arguments)
        return self._recordings[key](*arguments)


@lru_cache(maxsize=MOST_NETWORKS)
def _recordings(network: Network, arithmetic: Arithmetic) -> Recordings:
    """Return the recordings of the passes of `network`, none at first."""
    return {}


def _paired(flat: Sequence[Tensor]) -> list[Weights]:
    return list(zip(flat[::2], flat[1::2], strict=True))
