"""From a network to a program: which passes follow each other, on which tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from specbp.arithmetic.scales import LayerScales, Scales
from specbp.network import Network
from specbp.overlay.compiler.correlation import emit_correlation
from specbp.overlay.compiler.element_wise import (
    emit_average,
    emit_mask,
    emit_maximum,
    emit_unpooling,
)
from specbp.overlay.compiler.emitter import Emitter, Tagged
from specbp.overlay.compiler.memory_map import MemoryMap
from specbp.overlay.compiler.ordering import ordered
from specbp.overlay.compiler.program import Compiled
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Shape, Trained, words_of
from specbp.overlay.compiler.softmax import SoftmaxMaps, emit_softmax
from specbp.overlay.compiler.stages import Pooled, Rectified, Stage, Weighted, shape_of, stages
from specbp.overlay.compiler.trained import forward, input_gradient
from specbp.overlay.compiler.update import emit_update
from specbp.overlay.compiler.weight_gradient import WeightGradient, emit_weight_gradient
from specbp.overlay.isa import End
from specbp.overlay.parameters import Parameters

NETWORK = "network"
"""The "layer" of what belongs to none: images, labels, probabilities."""


def compile_step(
    network: Network,
    scales: Scales,
    samples: int,
    parameters: Parameters,
    base: int = 0,
) -> Compiled:
    """Compile one sequential training step of a batch.

    Args:
        network: the chain of layers.
        scales: of its tensors.
        samples: of the batch.
        parameters: of the overlay.
        base: physical address of the tensors, a multiple of 64.

    Raises:
        UsageError: a layer does not fit; the message names it, the limit and what it needs.
    """
    compiler = _Compiler(network, scales, samples, parameters, base, training=True)
    compiler.forward()
    compiler.backward()
    return compiler.finished()


def compile_forward(
    network: Network,
    scales: Scales,
    samples: int,
    parameters: Parameters,
    base: int = 0,
) -> Compiled:
    """Compile the forward of a batch, to its probabilities; see `compile_step`."""
    compiler = _Compiler(network, scales, samples, parameters, base, training=False)
    compiler.forward()
    return compiler.finished()


class _Compiler:
    def __init__(
        self,
        network: Network,
        scales: Scales,
        samples: int,
        parameters: Parameters,
        base: int,
        training: bool,
    ) -> None:
        self._scales = scales
        self._samples = samples
        self._parameters = parameters
        self._training = training
        self._stages = stages(network)
        self._memory = MemoryMap(base)
        self._emitter = Emitter(parameters)
        weighted = [isinstance(stage, Weighted) for stage in self._stages]
        self._lowest = weighted.index(True)
        # Weights first: they lie at the same addresses in every program of a network.
        self._trained = {
            stage.layer.name: self._take_trained(stage)
            for stage in self._stages
            if isinstance(stage, Weighted)
        }
        self._labels = self._memory.take(
            NETWORK, "labels", (words_of(samples) * PER_WORD,), np.int16
        )
        images = self._take_map(NETWORK, "images", shape_of(network.layers[0].input_shape))
        self._maps = [images]
        self._choices: dict[str, FeatureMap] = {}
        self._deltas: FeatureMap | None = None

    def forward(self) -> None:
        """Emit the forward of all stages, and the softmax."""
        for stage in self._stages:
            self._maps.append(self._take_map(stage.layer.name, "output", stage.result))
            self._emit_forward(stage, *self._maps[-2:])
        logits = self._maps[-1]
        probabilities = self._take_map(NETWORK, "probabilities", logits.shape)
        if self._training:
            self._deltas = self._take_map(NETWORK, "logit delta", logits.shape)
        maps = SoftmaxMaps(logits, self._labels, probabilities, self._deltas)
        emit_softmax(self._emitter, maps, self._scales.logits)

    def backward(self) -> None:
        """Emit the backward of all stages down to the lowest with weights, and the updates."""
        emitter, deltas = self._emitter, self._deltas
        assert deltas is not None
        masked = False
        for index in range(len(self._stages) - 1, self._lowest - 1, -1):
            stage, source, target = self._stages[index], *self._maps[index : index + 2]
            below = self._stages[index - 1] if index else None
            name, scales = stage.layer.name, self._scales.layers[stage.layer.name]
            match stage:
                case Weighted():
                    if stage.relu and not masked:
                        deltas = self._masked(stage, target, deltas)
                    masked = False
                    self._name_deltas(name, deltas)
                    self._emit_weight_gradient(stage, scales, source, deltas)
                    if index > self._lowest:
                        deltas = self._emit_input_gradient(stage, scales, source, deltas)
                    emit_update(emitter, name, self._trained[name])
                case Rectified():
                    deltas = self._masked(stage, target, deltas)
                case Pooled():
                    if stage.maximum and isinstance(below, Weighted) and below.relu:
                        # What a window chose is its output: where that is not positive, the ReLU
                        # below cuts the delta off. Here there are fewer of them to mask.
                        deltas = self._masked(stage, target, deltas)
                        masked = True
                    below_deltas = self._take_map(name, "input delta", source.shape)
                    emit_unpooling(
                        emitter,
                        name,
                        stage.window,
                        deltas,
                        self._choices.get(name),
                        below_deltas,
                        scales.input_gradient_shift(stage.layer),
                    )
                    deltas = below_deltas

    def finished(self) -> Compiled:
        """Return the program in order."""
        program = self._emitter.program
        unordered = [*program, Tagged(End(), replace(program[-1].tag, tile=""))]
        extent = self._memory.base, self._memory.size
        return Compiled(
            tuple(ordered(unordered, self._parameters, extent)),
            self._memory,
            tuple(self._stages),
            self._samples,
            self._parameters,
        )

    def _emit_forward(self, stage: Stage, source: FeatureMap, target: FeatureMap) -> None:
        emitter, name = self._emitter, stage.layer.name
        scales = self._scales.layers[name]
        match stage:
            case Weighted():
                source = _seen_as(source, stage.source)
                emit_correlation(
                    emitter,
                    forward(
                        name,
                        self._trained[name],
                        stage.window,
                        source,
                        target,
                        scales.bias_left_shift,
                        scales.forward_shift(stage.layer),
                        stage.relu,
                    ),
                )
            case Rectified():
                emit_mask(emitter, name, "forward", source, source, target)
            case Pooled(maximum=True):
                choices = self._take_map(name, "choices", stage.result)
                self._choices[name] = choices
                emit_maximum(emitter, name, stage.window, source, target, choices)
            case Pooled():
                shift = scales.forward_shift(stage.layer)
                emit_average(emitter, name, stage.window, source, target, shift)

    def _emit_weight_gradient(
        self, stage: Weighted, scales: LayerScales, source: FeatureMap, deltas: FeatureMap
    ) -> None:
        name = stage.layer.name
        emit_weight_gradient(
            self._emitter,
            WeightGradient(
                name,
                self._trained[name],
                stage.window,
                _seen_as(source, stage.source),
                deltas,
                scales.weight_gradient_shift,
                scales.bias_gradient_shift,
            ),
        )

    def _emit_input_gradient(
        self, stage: Weighted, scales: LayerScales, source: FeatureMap, deltas: FeatureMap
    ) -> FeatureMap:
        name = stage.layer.name
        below = self._take_map(name, "input delta", source.shape)
        for pass_ in input_gradient(
            name,
            self._trained[name],
            stage.window,
            deltas,
            _seen_as(below, stage.source),
            scales.input_gradient_shift(stage.layer),
        ):
            emit_correlation(self._emitter, pass_)
        return below

    def _masked(self, stage: Stage, signs: FeatureMap, deltas: FeatureMap) -> FeatureMap:
        """Emit the gradient of a ReLU with the output `signs`; return what is left of `deltas`."""
        target = self._take_map(stage.layer.name, "masked delta", deltas.shape)
        emit_mask(self._emitter, stage.layer.name, "mask", signs, deltas, target)
        return target

    def _name_deltas(self, layer: str, deltas: FeatureMap) -> None:
        """Let the gradient at a layer's output be found under its name."""
        self._memory.alias(layer, "delta", deltas.address)

    def _take_map(self, layer: str, tensor: str, shape: Shape) -> FeatureMap:
        array = (self._samples, shape.rows, shape.columns, shape.words * PER_WORD)
        address = self._memory.take(layer, tensor, array, np.int16)
        return FeatureMap(address, self._samples, shape)

    def _take_trained(self, stage: Weighted) -> Trained:
        name, order = stage.layer.name, stage.order
        outputs = stage.result.words * PER_WORD
        weights = (order.rows, order.columns, order.words * PER_WORD, outputs)

        def state(kind: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
            tensors = (f"{kind} {part}" for part in ("master", "momentum", "gradient"))
            master, momentum, gradient = (
                self._memory.take(name, tensor, shape, np.int32) for tensor in tensors
            )
            return master, momentum, gradient

        return Trained(
            stage.window.kernel,
            stage.source.channels,
            stage.result.channels,
            self._memory.take(name, "weight", weights, np.int16),
            state("weight", weights),
            state("bias", (outputs,)),
        )


def _seen_as(map_: FeatureMap, shape: Shape) -> FeatureMap:
    """Return the same memory as a map of another shape: a flattened one as one position."""
    return FeatureMap(map_.address, map_.samples, shape)
