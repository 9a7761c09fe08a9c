"""The passes of a network, emitted for whichever samples and by whichever core."""

from __future__ import annotations

from specbp.overlay.compiler.correlation import emit_correlation
from specbp.overlay.compiler.element_wise import (
    emit_average,
    emit_mask,
    emit_maximum,
    emit_unpooling,
)
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.maps import DeltaStep, NetworkMaps, Pick
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Shape
from specbp.overlay.compiler.softmax import SoftmaxMaps, emit_softmax
from specbp.overlay.compiler.splitting import Span
from specbp.overlay.compiler.stages import Pooled, Rectified, Stage, Weighted
from specbp.overlay.compiler.trained import forward, input_gradient
from specbp.overlay.compiler.update import emit_update
from specbp.overlay.compiler.weight_gradient import emit_weight_gradient
from specbp.overlay.compiler.weight_gradient_plan import (
    KernelPart,
    WeightGradient,
    whole_kernel,
)
from specbp.overlay.core_state import WORD_BYTES


class Passes:
    """Emits passes of a network.

    Args:
        emitter: takes the descriptors.
        maps: where the tensors lie.
    """

    def __init__(self, emitter: Emitter, maps: NetworkMaps) -> None:
        self._emitter = emitter
        self._maps = maps

    def forward(self, outcomes: Pick, start: int = 0) -> None:
        """Emit the forward of all stages from stage `start` on, to the logits."""
        for index, stage in enumerate(self._maps.stages[start:], start):
            source, target = (outcomes.of(one) for one in self._maps.outcomes[index : index + 2])
            self._forward(stage, source, target, outcomes)

    def softmax(self, outcomes: Pick, labels: int, deltas: FeatureMap | None, first: int) -> None:
        """Emit softmax of the logits, and the deltas at them.

        Args:
            outcomes: forward whose logits and probabilities are used.
            labels: address of those of the batch.
            deltas: input gradients of the batch; None where they are not wanted.
            first: first of these samples in the batch; a multiple of four.
        """
        assert first % PER_WORD == 0
        maps = SoftmaxMaps(
            outcomes.of(self._maps.outcomes[-1]),
            labels + first // PER_WORD * WORD_BYTES,
            outcomes.of(self._maps.probabilities),
            None if deltas is None else deltas.part(first, outcomes.count),
        )
        emit_softmax(self._emitter, maps, self._maps.scales.logits)

    def deltas(self, outcomes: Pick, deltas: Pick) -> None:
        """Emit the way of deltas from the logits down to the lowest layer with weights."""
        for step in self._maps.steps:
            self.delta_step(step, outcomes, deltas)

    def delta_step(self, step: DeltaStep, outcomes: Pick, deltas: Pick) -> None:
        """Emit one step of it."""
        emitter, maps = self._emitter, self._maps
        stage, name = maps.stages[step.index], maps.stages[step.index].layer.name
        source, target = deltas.of(maps.deltas[step.source]), deltas.of(maps.deltas[step.target])
        if step.kind == "mask":
            signs = outcomes.of(maps.outcomes[step.index + 1])
            emit_mask(emitter, name, "mask", signs, source, target)
            return
        shift = maps.scales.layers[name].input_gradient_shift(stage.layer)
        if isinstance(stage, Pooled):
            choices = outcomes.of(maps.choices[name]) if name in maps.choices else None
            emit_unpooling(emitter, name, stage.window, source, choices, target, shift)
            return
        assert isinstance(stage, Weighted)
        for pass_ in input_gradient(
            name,
            maps.trained[name],
            stage.window,
            source,
            _seen_as(target, stage.source),
            shift,
        ):
            emit_correlation(emitter, pass_)

    def weight_gradient(
        self, stage: Weighted, outcomes: Pick, part: KernelPart | None = None
    ) -> None:
        """Emit the gradients of a layer over the whole batch, or of a part of its kernel."""
        maps, name = self._maps, stage.layer.name
        scales, index = maps.scales.layers[name], maps.stages.index(stage)
        deltas = maps.deltas[maps.delta_of[name]]
        trained = maps.trained[name]
        emit_weight_gradient(
            self._emitter,
            WeightGradient(
                name,
                trained,
                stage.window,
                _seen_as(outcomes.of(maps.outcomes[index]), stage.source),
                deltas,
                scales.weight_gradient_shift,
                scales.bias_gradient_shift,
                part or whole_kernel(trained),
            ),
        )

    def update(self, stage: Weighted, fours: Span | None = None, bias: bool = True) -> None:
        """Emit the SGD steps of a layer, or of some fours of its weights."""
        name = stage.layer.name
        emit_update(self._emitter, name, self._maps.trained[name], fours, bias)

    def _forward(
        self, stage: Stage, source: FeatureMap, target: FeatureMap, outcomes: Pick
    ) -> None:
        emitter, maps, name = self._emitter, self._maps, stage.layer.name
        scales = maps.scales.layers[name]
        match stage:
            case Weighted():
                emit_correlation(
                    emitter,
                    forward(
                        name,
                        maps.trained[name],
                        stage.window,
                        _seen_as(source, stage.source),
                        target,
                        scales.bias_left_shift,
                        scales.forward_shift(stage.layer),
                        stage.relu,
                    ),
                )
            case Rectified():
                emit_mask(emitter, name, "forward", source, source, target)
            case Pooled(maximum=True):
                choices = outcomes.of(maps.choices[name])
                emit_maximum(emitter, name, stage.window, source, target, choices)
            case Pooled():
                shift = scales.forward_shift(stage.layer)
                emit_average(emitter, name, stage.window, source, target, shift)


def _seen_as(map_: FeatureMap, shape: Shape) -> FeatureMap:
    """Return the same memory as a map of another shape: a flattened one as one position."""
    return FeatureMap(map_.address, map_.samples, shape, map_.table)
