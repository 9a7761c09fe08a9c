"""The tensors of a compiled program, read and written in PyTorch's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specbp.overlay import layout
from specbp.overlay.compiler.maps import NETWORK
from specbp.overlay.compiler.memory_map import Name
from specbp.overlay.compiler.program import Compiled
from specbp.overlay.compiler.stages import Weighted
from specbp.overlay.integers import INT16_MAX, requantised
from specbp.overlay.slots import Records

Array = NDArray[Any]
OUTCOMES = ("images", "output", "choices", "probabilities")
"""The tensors that an outcome is made of."""
GIVEN = ("images", "labels", "records", "speculated labels")
"""The tensors of the whole network that the host writes before each run."""
SHOWN = ("probabilities", "verdicts")
"""The tensors of the whole network that the host reads after each run, besides logits."""
ArrayPair = tuple[Array, Array]
"""Of weight and bias."""
MASTER_BITS = 16
"""How many more fraction bits a master weight has than the int16 weight rounded from it."""


def given_names(compiled: Compiled) -> list[Name]:
    """Return what the host writes before each run of a program."""
    return [name for name in compiled.memory.places if name[0] == NETWORK and name[1] in GIVEN]


def shown_names(compiled: Compiled) -> list[Name]:
    """Return what the host reads after each run of a program."""
    logits = compiled.stages[-1].layer.name, "output"
    places = compiled.memory.places
    return [logits] + [name for name in places if name[0] == NETWORK and name[1] in SHOWN]


@dataclass(frozen=True)
class NamedTensor:
    """A tensor of a training step.

    Attributes:
        layer: name of the layer, "network" for what belongs to none.
        tensor: name of the tensor.
        values: integers, in PyTorch's order.
    """

    layer: str
    tensor: str
    values: Array


class Tensors:
    """What a host sees of a program's memory.

    Args:
        compiled: the program.
        memory: uint8, from the program's base address on; read and written in place.

    Attributes:
        compiled: the program.
        slots: where the outcomes of the batch's samples lie, where a program has slots for them.
    """

    def __init__(self, compiled: Compiled, memory: NDArray[np.uint8]) -> None:
        self.compiled = compiled
        self._memory = memory
        self.slots: Array | None = None

    @property
    def samples(self) -> int:
        """Of a batch."""
        return self.compiled.samples

    def write_batch(self, images: Array, labels: Array) -> None:
        """Write encoded images [samples, channels, rows, columns] and labels [samples].

        There may be fewer samples than the program takes; it computes on what lies there.
        """
        if self.slots is None:
            layout.pack_map(images, self._view(NETWORK, "images")[: len(images)])
        else:
            packed = self._view(NETWORK, "images")
            whole = np.zeros_like(packed[: len(images)])
            layout.pack_map(images, whole)
            packed[self.slots[: len(images)]] = whole
        layout.pack_labels(labels, self._view(NETWORK, "labels"))

    def write_records(self, records: Records) -> None:
        """Write what the samples of a batch read and write; `slots` are what they write."""
        self.slots = records.write
        columns = records.keys, records.read, records.write
        self._view(NETWORK, "records")[: len(records.keys), : len(columns)] = np.stack(columns, 1)
        layout.pack_labels(records.speculated_labels, self._view(NETWORK, "speculated labels"))

    def accepted(self) -> Array:
        """Return for each sample whether the gate accepted it, bool [samples]."""
        verdicts = self._view(NETWORK, "verdicts")
        accepted: Array = verdicts[: self.compiled.samples, 0] != 0
        return accepted

    def distances(self) -> Array:
        """Return the gate's distance of each sample, int64 [samples]."""
        verdicts = self._view(NETWORK, "verdicts").view(np.uint16)
        return verdicts[: self.compiled.samples, 1].astype(np.int64)

    def read_outcomes(self, slots: Array) -> dict[str, Array]:
        """Return the outcomes in some slots, by the names of their tensors."""
        return {"/".join(name): self._view(*name)[slots].copy() for name in self._outcome_names()}

    def write_outcomes(self, slots: Array, outcomes: Mapping[str, Array]) -> None:
        """Write outcomes into slots; see `read_outcomes`."""
        for name in self._outcome_names():
            self._view(*name)[slots] = outcomes["/".join(name)]

    def _outcome_names(self) -> list[tuple[str, str]]:
        return [name for name in self.compiled.memory.places if name[1] in OUTCOMES]

    def write_weights(self, masters: Sequence[ArrayPair]) -> None:
        """Write the int32 masters, and the int16 weights that the layers see of them."""
        for stage, (weight, bias) in zip(self.compiled.weighted, masters, strict=True):
            name, inputs = stage.layer.name, stage.order.channels
            layout.pack_weight(weight, self._view(name, "weight master"), inputs)
            seen = requantised(weight.astype(np.int64), MASTER_BITS, INT16_MAX)
            layout.pack_weight(seen, self._view(name, "weight"), inputs)
            layout.pack_bias(bias, self._view(name, "bias master"))

    def write_momenta(self, momenta: Sequence[ArrayPair]) -> None:
        """Write the int32 momenta."""
        for stage, (weight, bias) in zip(self.compiled.weighted, momenta, strict=True):
            name = stage.layer.name
            packed = self._view(name, "weight momentum")
            layout.pack_weight(weight, packed, stage.order.channels)
            layout.pack_bias(bias, self._view(name, "bias momentum"))

    def read_state(self, part: str) -> list[ArrayPair]:
        """Return the masters, momenta or gradients of all layers, int32, in forward order.

        Args:
            part: "master", "momentum" or "gradient".
        """
        return [
            (self._weight(stage, f"weight {part}"), self._bias(stage, f"bias {part}"))
            for stage in self.compiled.weighted
        ]

    def logits(self) -> Array:
        """Return the logits, int16 [samples, classes]."""
        last = self.compiled.stages[-1]
        return self._map(last.layer.name, "output", last.result.channels)[:, :, 0, 0]

    def probabilities(self) -> Array:
        """Return the softmax in steps of 2^-14, int16 [samples, classes]."""
        classes = self.compiled.stages[-1].result.channels
        return self._map(NETWORK, "probabilities", classes)[:, :, 0, 0]

    def of_step(self) -> Iterator[NamedTensor]:
        """Yield copies of all tensors of a training step, in the order in which they arise."""
        stages = self.compiled.stages
        for stage in stages:
            name = stage.layer.name
            yield NamedTensor(name, "output", self._map(name, "output", stage.result.channels))
        yield NamedTensor(NETWORK, "probabilities", self.probabilities().copy())
        for stage in reversed(self.compiled.weighted):
            name = stage.layer.name
            yield NamedTensor(name, "delta", self._map(name, "delta", stage.result.channels))
            yield NamedTensor(name, "weight gradient", self._weight(stage, "weight gradient"))
            yield NamedTensor(name, "bias gradient", self._bias(stage, "bias gradient"))
        for stage in self.compiled.weighted:
            name = stage.layer.name
            yield NamedTensor(name, "weight", self._weight(stage, "weight master"))
            yield NamedTensor(name, "bias", self._bias(stage, "bias master"))
            yield NamedTensor(name, "weight momentum", self._weight(stage, "weight momentum"))
            yield NamedTensor(name, "bias momentum", self._bias(stage, "bias momentum"))

    def _map(self, layer: str, tensor: str, channels: int) -> Array:
        packed = self._view(layer, tensor)
        if self.slots is not None and tensor in OUTCOMES:
            packed = packed[self.slots]
        return layout.unpack_map(packed, channels).copy()

    def _weight(self, stage: Weighted, tensor: str) -> Array:
        order, outputs = stage.order, stage.result.channels
        shape: tuple[int, ...] = (outputs, order.channels, order.rows, order.columns)
        if stage.linear:
            shape = (outputs, order.channels * order.positions)
        packed = self._view(stage.layer.name, tensor)
        return layout.unpack_weight(packed, shape, order.channels).copy()

    def _bias(self, stage: Weighted, tensor: str) -> Array:
        return self._view(stage.layer.name, tensor)[: stage.result.channels].copy()

    def _view(self, layer: str, tensor: str) -> Array:
        return self.compiled.memory.view(self._memory, layer, tensor)
