"""What a plan needs to know of a network: its nodes in order, and how its update is cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Node:
    """One layer of the network, or the loss at its end.

    Attributes:
        name: name of the layer.
        has_weights: whether the node is trained.
        mask: place of what is saved for the input gradient of this node: the node itself, or the
            number of a value that a later node saves as its input, such as the output of a ReLU;
            None where nothing is. The loss holds its own, the softmax.
        work: multiply-accumulates of the forward for one sample, or another measure of work; how
            measured times are split over the nodes.
        inputs: values that the node reads: 0 the images, n + 1 the output of node n; empty stands
            for the output of the node before it.
        reads_input: whether the input gradient needs the node's first input.
        makes_both: whether the input gradient makes the weight gradient of the same samples too.
        couples: whether the output for a sample depends on the other samples of its batch.
        draws: whether the output depends on the step.
    """

    name: str
    has_weights: bool = False
    mask: int | None = None
    work: float = 1.0
    inputs: tuple[int, ...] = ()
    reads_input: bool = False
    makes_both: bool = False
    couples: bool = False
    draws: bool = False


@dataclass(frozen=True)
class Outline:
    """A graph of nodes, each behind those it reads, whose last one is the loss.

    Attributes:
        nodes: layers in forward order, then the loss.
        updates: parts of the weight update, each given by the trained nodes whose gradients the
            part needs; a large layer may have several parts.
    """

    nodes: tuple[Node, ...]
    updates: tuple[tuple[int, ...], ...]

    @property
    def loss(self) -> int:
        """Index of the loss."""
        return len(self.nodes) - 1

    @cached_property
    def trained(self) -> tuple[int, ...]:
        """Indices of the nodes with weights, in forward order."""
        return tuple(index for index, node in enumerate(self.nodes) if node.has_weights)

    @property
    def first_trained(self) -> int:
        """Index of the first node with weights: no gradient is needed below its output."""
        return self.trained[0]

    @cached_property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """The values that each node reads: 0 the images, n + 1 the output of node n."""
        return tuple(node.inputs or (index,) for index, node in enumerate(self.nodes))

    @cached_property
    def passes(self) -> tuple[tuple[int, ...], ...]:
        """The values whose gradient each node makes: those that depend on weights."""
        found: list[tuple[int, ...]] = []
        for values in self.inputs:
            found.append(
                tuple(
                    value
                    for value in values
                    if value and (self.nodes[value - 1].has_weights or found[value - 1])
                )
            )
        return tuple(found)

    @cached_property
    def kept(self) -> frozenset[int]:
        """The values that a backward reads: inputs of nodes with weights, and of some others."""
        return frozenset(
            values[0]
            for node, values in zip(self.nodes, self.inputs, strict=True)
            if node.has_weights or node.reads_input
        )

    def adds(self, node: int, value: int) -> bool:
        """Return whether the gradient of `value` that `node` makes is added to that of others."""
        return any(value in self.passes[later] for later in range(node + 1, len(self.nodes)))

    def needed(self, index: int) -> list[int]:
        """Return the places of what is saved for the input gradient of a node."""
        node = self.nodes[index]
        places = [] if node.mask is None else [node.mask]
        return [*places, *(self.inputs[index][:1] if node.reads_input else ())]

    def saved_by(self, index: int) -> bool:
        """Return whether a place in a saved forward is taken: by a value, or by the node's mask."""
        return index in self.kept or self.nodes[index].mask == index

    def refresh_start(self, layers: int) -> tuple[int, int]:
        """Return the first of the last `layers` nodes with weights, and the one value it reads.

        Raises:
            ValueError: other values than that are read from there on.
        """
        start = self.trained[-layers]
        crossing = {value for values in self.inputs[start:] for value in values if value <= start}
        if crossing != set(self.inputs[start]):
            raise ValueError(self.nodes[start].name)
        return start, self.inputs[start][0]
