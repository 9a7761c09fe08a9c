"""What a plan needs to know of a network: its nodes in order, and how its update is cut."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One layer of the network, or the loss at its end.

    Attributes:
        name: name of the layer.
        has_weights: whether the node is trained.
        mask: node whose saved tensors hold what the input gradient of this node needs: this node,
            the next one where the output of a ReLU is the input of a trained layer, or None. The
            loss holds its own, the softmax.
        work: multiply-accumulates of the forward for one sample, or another measure of work; how
            measured times are split over the nodes.
    """

    name: str
    has_weights: bool = False
    mask: int | None = None
    work: float = 1.0


@dataclass(frozen=True)
class Outline:
    """A chain of nodes whose last one is the loss.

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

    @property
    def trained(self) -> tuple[int, ...]:
        """Indices of the nodes with weights, in forward order."""
        return tuple(index for index, node in enumerate(self.nodes) if node.has_weights)

    @property
    def first_trained(self) -> int:
        """Index of the first node with weights: no gradient is needed below its output."""
        return self.trained[0]

    def saved_by(self, index: int) -> bool:
        """Return whether the node has a tensor of its own in a saved forward."""
        node = self.nodes[index]
        return node.has_weights or node.mask == index
