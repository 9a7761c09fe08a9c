"""The two sides of a lockstep: each does a training step and shows every tensor of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from specbp.arithmetic import Numbers, UpdatePart
from specbp.arithmetic.fixed_point import INT32_MAX, requantise_
from specbp.arithmetic.int16 import Int16
from specbp.arithmetic.scales import PROBABILITY_BITS
from specbp.backends.overlay.steps import open_step
from specbp.backends.recipe import Recipe
from specbp.network import Layer, Weights
from specbp.overlay.compiler.maps import NETWORK
from specbp.overlay.compiler.shapes import Shape
from specbp.overlay.compiler.stages import Stage, Weighted, shape_of, stages
from specbp.overlay.executors import OpenExecutor
from specbp.overlay.parameters import Parameters
from specbp.overlay.tensors import Array, NamedTensor
from specbp.plan.choosing import step_plans
from specbp.runtime.cache import cache_shape, open_cache
from specbp.runtime.execution import Executor, Trained
from specbp.runtime.gates import gate_of
from specbp.runtime.outlines import outline_of
from specbp.runtime.step import StepParams
from specbp.runtime.threads import ThreadsRuntime

ACCEPTED = "accepted"
"""What the gate decided on each sample."""


class Side(Protocol):
    """One execution of a training in int16.

    Attributes:
        accepts: samples accepted so far.
        rejects: samples that were rejected.
    """

    accepts: int
    rejects: int

    def step(self, number: int) -> Iterator[NamedTensor]:
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
        parameters: parameters of the overlay.
        open_executor: opens what runs the programs.
    """

    def __init__(self, recipe: Recipe, parameters: Parameters, open_executor: OpenExecutor) -> None:
        self.accepts = self.rejects = 0
        self._recipe = recipe
        self._arithmetic = Int16(recipe.network, recipe.scales())
        self.overlay = open_step(recipe, self._arithmetic, parameters, open_executor)
        self.overlay.write_weights(self._arithmetic.encode_weights(recipe.initial))

    def step(self, number: int) -> Iterator[NamedTensor]:
        """Run the program."""
        pixels, labels = self._recipe.batch(number)
        images = self._recipe.images(self._arithmetic, pixels)
        self.overlay.run(images, labels, self._recipe.rule(number))
        accepted = self.overlay.accepted
        if accepted is not None:
            self.accepts, self.rejects = _counted(self, accepted)
            yield NamedTensor(NETWORK, ACCEPTED, accepted.astype(np.int64))
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
        experiment, network = recipe.experiment, recipe.network
        self._network = network
        self._arithmetic = arithmetic = Int16(network, recipe.scales())
        self._weights = arithmetic.encode_weights(recipe.initial)
        self._momentum_buffers: list[Weights] = [
            (torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._weights
        ]
        self._gradients: dict[int, Weights] = {}
        parts = arithmetic.update_parts(self._weights, self._momentum_buffers)
        watched = [_WatchedPart(part, self._gradients) for part in parts]
        outline = outline_of(network, watched)
        trained = Trained(self._weights, self._weights, watched)
        cache = open_cache(cache_shape(experiment, network.classes))
        executor = Executor(network, arithmetic, outline, trained, cache, gate_of(experiment))
        plans = step_plans(experiment, outline)
        self._runtime = ThreadsRuntime(executor, plans, cache, _Batches(recipe, arithmetic))
        # A ReLU belongs to the layer before it, as on the overlay.
        self._shown = {_last(stage).name: stage for stage in stages(network)}

    def step(self, number: int) -> Iterator[NamedTensor]:
        """Execute the step, and show its tensors afterwards."""
        arithmetic, recipe = self._arithmetic, self._recipe
        outputs = list(self._outputs(number))  # by the weights as they are before the update
        params = StepParams(recipe.rule(number))
        results = self._runtime.advance(torch.tensor([[number]]), [params])
        if recipe.experiment.schedule == "speculative":
            accepted = results.accepted[0].numpy()
            self.accepts, self.rejects = _counted(self, accepted)
            yield NamedTensor(NETWORK, ACCEPTED, accepted.astype(np.int64))
        yield from outputs
        shown = _integers(results.probabilities[0] * 2.0**PROBABILITY_BITS)
        yield NamedTensor(NETWORK, "probabilities", shown)
        values = self._runtime.values
        assert values is not None
        trained = [node for node, layer in enumerate(self._network.layers) if layer.has_weights]
        for position, node in reversed(list(enumerate(trained))):
            layer = self._network.layers[node]
            scales = arithmetic.scales.layers[layer.name]
            delta = _as_map(values.output_grads[node], shape_of(layer.output_shape))
            yield NamedTensor(layer.name, "delta", delta)
            weight, bias = self._gradients[position]
            shift = scales.weight_gradient_shift
            yield NamedTensor(layer.name, "weight gradient", _rounded(weight, shift))
            yield NamedTensor(
                layer.name, "bias gradient", _rounded(bias, scales.bias_gradient_shift)
            )
        yield from self._updated()

    def close(self) -> None:
        """Give the engines back."""
        self._runtime.close()

    def _outputs(self, number: int) -> Iterator[NamedTensor]:
        pixels, _ = self._recipe.batch(number)
        x = self._recipe.images(self._arithmetic, pixels)
        weights = iter(self._weights)
        for layer in self._network.layers:
            x, _ = self._arithmetic.forward(layer, next(weights) if layer.has_weights else None, x)
            if layer.name in self._shown:
                stage = self._shown[layer.name]
                yield NamedTensor(stage.layer.name, "output", _as_map(x, stage.result))

    def _updated(self) -> Iterator[NamedTensor]:
        trained = zip(self._network.trained, self._weights, self._momentum_buffers, strict=True)
        for layer, weights, momenta in trained:
            for name, values in zip(("weight", "bias"), weights, strict=True):
                yield NamedTensor(layer.name, name, _integers(values))
            for name, values in zip(("weight", "bias"), momenta, strict=True):
                yield NamedTensor(layer.name, f"{name} momentum", _integers(values))


def _counted(side: Side, accepted: Array) -> tuple[int, int]:
    """Return accepts and rejects of `side` with those of one more step."""
    count = int(accepted.sum())
    return side.accepts + count, side.rejects + len(accepted) - count


class _Batches:
    """The batches of a recipe, where a step is given its number for the indices of samples.

    Args:
        recipe: what to train on.
        arithmetic: the number format of the images.
    """

    def __init__(self, recipe: Recipe, arithmetic: Int16) -> None:
        self._recipe = recipe
        self._arithmetic = arithmetic

    def labels(self, index: Tensor) -> Tensor:
        """Return the labels of the step, int64 [batch]."""
        return self._recipe.batch(int(index))[1]

    def images(self, index: Tensor, places: Tensor | None = None) -> Tensor:
        """Return the images of the step as the first layer takes them."""
        return self._recipe.images(self._arithmetic, self._recipe.batch(int(index))[0])


class _WatchedPart:
    """A part of an update that keeps the gradients which it is given.

    Args:
        part: tensors of one layer with weights.
        gradients: takes them, by position among the layers with weights.
    """

    def __init__(self, part: UpdatePart, gradients: dict[int, Weights]) -> None:
        self.layers = part.layers
        self._part = part
        self._gradients = gradients

    def do(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Keep a copy, which the update does not round, and update."""
        for layer, (weight, bias) in zip(self.layers, gradients, strict=True):
            self._gradients[layer] = weight.clone(), bias.clone()
        self._part.do(gradients, numbers)


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
