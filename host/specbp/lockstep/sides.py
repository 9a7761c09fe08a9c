"""The two sides of a lockstep: each does a training step and shows every tensor of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from specbp.arithmetic import Arithmetic
from specbp.arithmetic.fixed_point import INT32_MAX, requantise_
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.scales import PROBABILITY_BITS
from specbp.backends.overlay_step import OpenExecutor
from specbp.backends.recipe import Recipe
from specbp.backends.steps import open_step
from specbp.network import Layer, Network, Weights
from specbp.overlay.compiler.maps import NETWORK
from specbp.overlay.compiler.shapes import Shape
from specbp.overlay.compiler.stages import Stage, Weighted, shape_of, stages
from specbp.overlay.parameters import Parameters
from specbp.overlay.tensors import Array, Named
from specbp.schedules import build as build_schedule
from specbp.schedules.chain import TracedChain
from specbp.schedules.device import PROCESSOR
from specbp.schedules.passes import by_layer
from specbp.schedules.step import StepWeights

ACCEPTED = "accepted"
"""What the gate decided on each sample."""


class Side(Protocol):
    """One execution of a training in int16.

    Attributes:
        accepts: samples accepted so far.
        rejects: likewise rejected.
    """

    accepts: int
    rejects: int

    def step(self, number: int) -> Iterator[Named]:
        """Do the step `number`, from 0, and yield its tensors in the order in which they arise.

        Those of all sides have the same names, shapes and order.
        """
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class OverlaySide:
    """The overlay, on whatever runs its programs.

    Args:
        recipe: what to train on, and how.
        parameters: of the overlay.
        open_executor: opens what runs the programs.
    """

    def __init__(self, recipe: Recipe, parameters: Parameters, open_executor: OpenExecutor) -> None:
        self.accepts = self.rejects = 0
        self._recipe = recipe
        self._arithmetic = Int16(recipe.network, recipe.scales())
        self.overlay = open_step(recipe, self._arithmetic, parameters, open_executor)
        self.overlay.write_weights(self._arithmetic.encode_weights(recipe.initial))

    def step(self, number: int) -> Iterator[Named]:
        """Run the program."""
        pixels, labels = self._recipe.batch(number)
        images = self._recipe.images(self._arithmetic, pixels)
        self.overlay.run(images, labels, self._recipe.rule(number))
        accepted = self.overlay.accepted
        if accepted is not None:
            self.accepts, self.rejects = _counted(self, accepted)
            yield Named(NETWORK, ACCEPTED, accepted.astype(np.int64))
        yield from self.overlay.all_tensors().of_step()

    def close(self) -> None:
        """Give the overlay back."""
        self.overlay.executor.close()


class PytorchSide:
    """int16 arithmetic in PyTorch, under the same schedule.

    Args:
        recipe: what to train on, and how.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.accepts = self.rejects = 0
        self._recipe = recipe
        self._network = recipe.network
        self._arithmetic = Int16(recipe.network, recipe.scales())
        self._chain = _Watched(recipe.network, self._arithmetic)
        device = replace(PROCESSOR, open_chain=lambda *_: self._chain)
        self._schedule = build_schedule(recipe.experiment, recipe.network, self._arithmetic, device)
        self._weights = self._arithmetic.encode_weights(recipe.initial)
        self._momenta: list[Weights] = [
            (torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._weights
        ]
        # A ReLU belongs to the layer before it, as on the overlay.
        self._shown = {_last(stage).name: stage for stage in stages(self._network)}
        self._weighted = self._network.trained

    def step(self, number: int) -> Iterator[Named]:
        """Do the passes one by one."""
        arithmetic, network = self._arithmetic, self._network
        pixels, labels = self._recipe.batch(number)
        images = x = self._recipe.images(arithmetic, pixels)
        weights = by_layer(network, self._weights)
        current = StepWeights(self._weights, self._weights)
        batch = self._schedule.gradients(current, lambda: images, labels)
        if batch.accepted is not None:
            accepted = batch.accepted.numpy()
            self.accepts, self.rejects = _counted(self, accepted)
            yield Named(NETWORK, ACCEPTED, accepted.astype(np.int64))
        for layer, given in zip(network.layers, weights, strict=True):
            x, _ = arithmetic.forward(layer, given, x)
            if layer.name in self._shown:
                stage = self._shown[layer.name]
                yield Named(stage.layer.name, "output", _as_map(x, stage.result))
        shown = _integers(batch.probabilities * 2.0**PROBABILITY_BITS)
        yield Named(NETWORK, "probabilities", shown)
        yield from self._backward(batch.gradients)
        arithmetic.update(self._weights, self._momenta, batch.gradients, self._recipe.rule(number))
        yield from self._updated()

    def close(self) -> None:
        """Give the engines back."""
        self._schedule.close()

    def _backward(self, gradients: Sequence[Weights]) -> Iterator[Named]:
        found = list(zip(self._weighted, gradients, strict=True))
        for layer, (weight, bias) in reversed(found):
            delta = self._chain.deltas_of[layer.name]
            scales = self._arithmetic.scales.layers[layer.name]
            yield Named(layer.name, "delta", _as_map(delta, shape_of(layer.output_shape)))
            shift = scales.weight_gradient_shift
            yield Named(layer.name, "weight gradient", _rounded(weight, shift))
            yield Named(layer.name, "bias gradient", _rounded(bias, scales.bias_gradient_shift))

    def _updated(self) -> Iterator[Named]:
        trained = zip(self._weighted, self._weights, self._momenta, strict=True)
        for layer, weights, momenta in trained:
            for name, values in zip(("weight", "bias"), weights, strict=True):
                yield Named(layer.name, name, _integers(values))
            for name, values in zip(("weight", "bias"), momenta, strict=True):
                yield Named(layer.name, f"{name} momentum", _integers(values))


def _counted(side: Side, accepted: Array) -> tuple[int, int]:
    """Return accepts and rejects of `side` with those of one more step."""
    count = int(accepted.sum())
    return side.accepts + count, side.rejects + len(accepted) - count


class _Watched(TracedChain):
    """Passes that keep the deltas from which the last weight gradients were made, by layer."""

    def __init__(self, network: Network, arithmetic: Arithmetic) -> None:
        super().__init__(network, arithmetic)
        self.deltas_of: dict[str, Tensor] = {}

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the weight gradient of one layer, summed over the batch."""
        self.deltas_of[layer.name] = delta
        return super().weight_gradient(layer, x, delta)


def _last(stage: Stage) -> Layer:
    """Return the layer whose output is that of `stage`."""
    if isinstance(stage, Weighted) and stage.rectifier is not None:
        return stage.rectifier
    return stage.layer


def _rounded(sums: Tensor, shift: int) -> Array:
    return _integers(requantise_(sums.clone(), shift, INT32_MAX))


def _as_map(x: Tensor, shape: Shape) -> Array:
    """Return integers [samples, channels, rows, columns]; features may be those of a map."""
    return _integers(x).reshape(len(x), shape.channels, shape.rows, shape.columns)


def _integers(values: Tensor) -> Array:
    return values.numpy().astype(np.int64)
