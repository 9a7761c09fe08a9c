"""The tensors of a network in memory: weights, what a forward leaves behind, deltas.

What a forward leaves behind, the *outcome*, has a place for each sample of the batch; or there are
*slots*, more than samples, and the index table says which slots a pass means. Deltas have a place
for each sample of the batch, always.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from specbp.arithmetic.scales import Scales
from specbp.network import Network
from specbp.overlay.compiler.memory_map import MemoryMap, Name
from specbp.overlay.compiler.shapes import PER_WORD, FeatureMap, Shape, Trained, words_of
from specbp.overlay.compiler.stages import Pooled, Rectified, Stage, Weighted, shape_of, stages

NETWORK = "network"
"""The "layer" of what belongs to none: images, labels, probabilities."""
LOGIT_DELTA: Name = (NETWORK, "logit delta")


@dataclass(frozen=True)
class Pick:
    """Which samples of a map a pass works on.

    Attributes:
        first: first sample of the batch, or first row of the table.
        count: how many.
        table: first entry of the index table with the slots of a batch; None where samples lie
            one after the other.
    """

    first: int
    count: int
    table: int | None = None

    def of(self, map_: FeatureMap) -> FeatureMap:
        """Return those samples of `map_`."""
        if self.table is None:
            return map_.part(self.first, self.count)
        return map_.through(self.table + self.first, self.count)

    def part(self, first: int, count: int) -> Pick:
        """Return some of these."""
        return Pick(self.first + first, count, self.table)


@dataclass(frozen=True)
class DeltaStep:
    """One step of the way of deltas down the network.

    Attributes:
        kind: a mask by the output of the stage, or the gradient at its input.
        index: index of the stage.
        source: the deltas that come.
        target: those that go on.
    """

    kind: Literal["mask", "input gradient"]
    index: int
    source: Name
    target: Name


def delta_steps(chain: list[Stage], lowest: int) -> Iterator[DeltaStep]:
    """Yield how deltas go from the logits down to stage `lowest`."""
    deltas, masked = LOGIT_DELTA, False
    for index in range(len(chain) - 1, lowest - 1, -1):
        stage, below = chain[index], chain[index - 1] if index else None
        name = stage.layer.name
        mask = isinstance(stage, Rectified)
        if isinstance(stage, Weighted):
            mask, masked = stage.relu and not masked, False
        elif isinstance(stage, Pooled) and stage.maximum:
            # What a window chose is its output: where that is not positive, the ReLU below cuts
            # the delta off. Here there are fewer of them to mask.
            mask = masked = isinstance(below, Weighted) and below.relu
        if mask:
            yield DeltaStep("mask", index, deltas, (name, "masked delta"))
            deltas = name, "masked delta"
        if isinstance(stage, Pooled) or (isinstance(stage, Weighted) and index > lowest):
            yield DeltaStep("input gradient", index, deltas, (name, "input delta"))
            deltas = name, "input delta"


class NetworkMaps:
    """Where everything of a network lies.

    Args:
        network: the chain of layers.
        scales: scales of the tensors.
        samples: samples of the batch.
        slots: slots of saved forwards; None for one for each sample.
        base: physical address, a multiple of 64.

    Attributes:
        scales: scales of the tensors.
        samples: samples of the batch.
        stages: what the network was lowered to.
        lowest: index of the first stage with weights.
        memory: the map of memory.
        trained: what each layer with weights trains, by name.
        labels: address of an int16 for each sample.
        outcomes: images, then the output of each stage.
        choices: choices of each max pooling, by name.
        probabilities: softmax.
        steps: steps of deltas.
        deltas: by name.
        delta_of: the name of the deltas at the output of each layer with weights.
    """

    def __init__(
        self,
        network: Network,
        scales: Scales,
        samples: int,
        slots: int | None = None,
        base: int = 0,
    ) -> None:
        self.scales, self.samples = scales, samples
        self.stages = stages(network)
        self.lowest = [isinstance(stage, Weighted) for stage in self.stages].index(True)
        self.memory = MemoryMap(base)
        self._places = slots or samples
        # Weights first: they lie at the same addresses in every program of a network.
        self.trained = {
            stage.layer.name: self._take_trained(stage)
            for stage in self.stages
            if isinstance(stage, Weighted)
        }
        self.labels = self.take_labels("labels")
        self.outcomes = [self._outcome(NETWORK, "images", shape_of(network.layers[0].input_shape))]
        self.choices: dict[str, FeatureMap] = {}
        for stage in self.stages:
            name = stage.layer.name
            self.outcomes.append(self._outcome(name, "output", stage.result))
            if isinstance(stage, Pooled) and stage.maximum:
                self.choices[name] = self._outcome(name, "choices", stage.result)
        logits = self.outcomes[-1].shape
        self.probabilities = self._outcome(NETWORK, "probabilities", logits)
        self.deltas = {LOGIT_DELTA: self._take(*LOGIT_DELTA, samples, logits)}
        self.steps = list(delta_steps(self.stages, self.lowest))
        for step in self.steps:
            above = step.kind == "mask"
            shape = self.outcomes[step.index + 1 if above else step.index].shape
            self.deltas[step.target] = self._take(*step.target, samples, shape)
        self.delta_of = dict(self._deltas_of_layers())
        for layer, target in self.delta_of.items():
            self.memory.alias(layer, "delta", self.deltas[target].address)

    @property
    def weighted(self) -> list[Weighted]:
        """The stages with weights, in forward order."""
        return [stage for stage in self.stages if isinstance(stage, Weighted)]

    def take_labels(self, tensor: str) -> int:
        """Return the address of a new int16 for each sample."""
        return self.memory.take(NETWORK, tensor, (words_of(self.samples) * PER_WORD,), np.int16)

    def take_token(self, core: int) -> int:
        """Return the address of a word that `core` alone writes and reads, and nobody needs."""
        return self.memory.take(NETWORK, f"token of core {core}", (PER_WORD,), np.int16)

    def take_deltas(self, tensor: str) -> FeatureMap:
        """Return a new map of deltas at the logits."""
        return self._take(NETWORK, tensor, self.samples, self.outcomes[-1].shape)

    def _deltas_of_layers(self) -> Iterator[tuple[str, Name]]:
        deltas, steps = LOGIT_DELTA, {(step.index, step.kind): step for step in self.steps}
        for index in range(len(self.stages) - 1, self.lowest - 1, -1):
            if (index, "mask") in steps:
                deltas = steps[index, "mask"].target
            if isinstance(self.stages[index], Weighted):
                yield self.stages[index].layer.name, deltas
            if (index, "input gradient") in steps:
                deltas = steps[index, "input gradient"].target

    def _outcome(self, layer: str, tensor: str, shape: Shape) -> FeatureMap:
        return self._take(layer, tensor, self._places, shape)

    def _take(self, layer: str, tensor: str, count: int, shape: Shape) -> FeatureMap:
        array = (count, shape.rows, shape.columns, shape.words * PER_WORD)
        return FeatureMap(self.memory.take(layer, tensor, array, np.int16), count, shape)

    def _take_trained(self, stage: Weighted) -> Trained:
        name, order = stage.layer.name, stage.order
        outputs = stage.result.words * PER_WORD
        weights = (order.rows, order.columns, order.words * PER_WORD, outputs)

        def state(kind: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
            tensors = (f"{kind} {part}" for part in ("master", "momentum", "gradient"))
            master, momentum, gradient = (
                self.memory.take(name, tensor, shape, np.int32) for tensor in tensors
            )
            return master, momentum, gradient

        return Trained(
            stage.window.kernel,
            stage.source.channels,
            stage.result.channels,
            self.memory.take(name, "weight", weights, np.int16),
            state("weight", weights),
            state("bias", (outputs,)),
        )
