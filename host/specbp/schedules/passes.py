"""Forward, input gradients and weight gradients of a whole chain of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.network import Network, Weights


@dataclass(frozen=True)
class Outcome:
    """What a forward pass leaves behind for the samples of a batch.

    Attributes:
        labels: int64 [batch].
        probabilities: softmax [batch, classes].
        masks: for each layer what its input gradient needs, or None.
        inputs: for each layer with weights its input; None for the others.
    """

    labels: Tensor
    probabilities: Tensor
    masks: tuple[Tensor | None, ...]
    inputs: tuple[Tensor | None, ...]

    def rows(self, index: Tensor) -> Outcome:
        """Return a copy of the rows at `index`, int64, in any order and with repeats."""
        return Outcome(
            self.labels.index_select(0, index),
            self.probabilities.index_select(0, index),
            tuple(_rows(self.masks, index)),
            tuple(_rows(self.inputs, index)),
        )


_MaybeTensor = TypeVar("_MaybeTensor", Tensor, Tensor | None)


def only(tensors: Sequence[_MaybeTensor], positions: Tensor) -> Sequence[_MaybeTensor]:
    """Return the rows at `positions`, ascending and without repeats; no copy where that is all."""
    first = next(one for one in tensors if one is not None)
    return tensors if len(positions) == len(first) else _rows(tensors, positions)


def _rows(tensors: Sequence[_MaybeTensor], index: Tensor) -> list[_MaybeTensor]:
    return [None if one is None else rows_of(one, index) for one in tensors]


def rows_of(one: Tensor, index: Tensor) -> Tensor:
    """Return the rows of `one` at `index` in the same memory format."""
    if not channels_are_last(one):
        return one.index_select(0, index)
    return one.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)


def put_rows(target: Tensor, index: Tensor, rows: Tensor) -> None:
    """Copy `rows` into the rows of `target` at `index`; both have the same memory format."""
    if channels_are_last(target):
        target, rows = target.permute(0, 2, 3, 1), rows.permute(0, 2, 3, 1)
    target.index_copy_(0, index, rows)


def channels_are_last(one: Tensor) -> bool:
    """Return whether `one` holds images whose channels lie together in memory.

    Rows of such a tensor are copied whole only through a view in memory order: PyTorch's own
    row copies would bring them into its default order, slowly.
    """
    return (
        one.dim() == 4
        and one.is_contiguous(memory_format=torch.channels_last)
        and not one.is_contiguous()
    )


def by_layer(network: Network, weights: Sequence[Weights]) -> list[Weights | None]:
    """Return `weights` with one entry per layer: None for layers that have none."""
    remaining = iter(weights)
    return [next(remaining) if layer.has_weights else None for layer in network.layers]


def forward(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    images: Tensor,
    labels: Tensor,
) -> tuple[Outcome, Tensor]:
    """Run the chain on a batch.

    Args:
        network: the chain of layers.
        arithmetic: the number format.
        weights: of each layer with weights, in forward order.
        images: [batch, channels, height, width], normalised.
        labels: int64 [batch].

    Returns:
        The outcome, and the loss of each sample [batch], in nat.
    """
    masks: list[Tensor | None] = []
    inputs: list[Tensor | None] = []
    x = images
    for layer, weight in zip(network.layers, by_layer(network, weights), strict=True):
        inputs.append(x if layer.has_weights else None)
        x, mask = arithmetic.forward(layer, weight, x)
        masks.append(mask)
    probabilities, losses = arithmetic.softmax_cross_entropy(x, labels)
    return Outcome(labels, probabilities, tuple(masks), tuple(inputs)), losses


def input_gradients(
    network: Network,
    arithmetic: Arithmetic,
    weights: Sequence[Weights],
    masks: Sequence[Tensor | None],
    delta: Tensor,
) -> list[Tensor]:
    """Propagate `delta` from the logits down the chain.

    Returns:
        For each layer with weights, in forward order, the gradient at its output. Nothing is
        propagated below the first of them.
    """
    deltas: list[Tensor] = []
    last = network.first_weights
    per_layer = by_layer(network, weights)
    for index in range(len(network.layers) - 1, last - 1, -1):
        layer = network.layers[index]
        if layer.has_weights:
            deltas.append(delta)
        if index > last:
            delta = arithmetic.input_gradient(layer, per_layer[index], masks[index], delta)
    deltas.reverse()
    return deltas


def weight_gradients(
    network: Network,
    arithmetic: Arithmetic,
    inputs: Sequence[Tensor | None],
    deltas: Sequence[Tensor],
) -> list[Weights]:
    """Return the weight gradients of each layer with weights, summed over the batch.

    Args:
        network: the chain of layers.
        arithmetic: the number format.
        inputs: `Outcome.inputs`.
        deltas: as returned by `input_gradients`.
    """
    pairs = [(layer, x) for layer, x in zip(network.layers, inputs, strict=True) if x is not None]
    return [
        arithmetic.weight_gradient(layer, x, delta)
        for (layer, x), delta in zip(pairs, deltas, strict=True)
    ]
