"""Number formats: what one layer computes, forward, backward and update, in each of them.

Every schedule is written once over the `Arithmetic` interface. A number format is one module here
and one class that has these methods; it knows about tensors of one layer, never about a network,
a batch's history or time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from specbp.network import Layer, Shape, Weights


@dataclass(frozen=True)
class UpdateRule:
    """The numbers of one SGD step.

    Attributes:
        learning_rate: step length.
        momentum: share of the old momentum that is kept.
        weight_decay: L2 penalty; its gradient weight_decay * w is added to the weight's.
        nesterov: the step goes along g + momentum * m instead of m: Nesterov's momentum, in the
            form of Sutskever et al. (ICML 2013) that PyTorch has. float32 only.
    """

    learning_rate: float
    momentum: float
    weight_decay: float
    nesterov: bool = False


@dataclass(frozen=True)
class Numbers:
    """The numbers of one step.

    Attributes:
        rule: update rule, such as SGD with momentum.
        distance: how far the forward of the next step looks ahead, in momenta.
    """

    rule: UpdateRule
    distance: float = 0.0


class UpdatePart(Protocol):
    """A part of an SGD step that does not depend on its other parts."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Whose gradients it needs, as positions among the layers with weights."""
        ...

    def do(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Do it, given these gradients."""
        ...


class Arithmetic(Protocol):
    """What a schedule needs of a number format.

    Tensors carry the batch in their first dimension. A *mask* is what a layer's forward leaves
    behind for its own input gradient: the output of a ReLU, the choices of a max pooling, the
    statistics of a norm, nothing for the rest. Masks, layer inputs and probabilities can be picked
    and replaced row by row, but for the statistics of a batch norm, which belong to the batch.
    Probabilities lie in 0..1 in every format; all other tensors are in the format's own form.
    """

    @property
    def weight_limit(self) -> float:
        """Magnitude at which a trained weight is cut off; infinite where none is."""
        ...

    def __hash__(self) -> int:
        """Formats that are equal compute the same."""
        ...

    def encode_images(self, images: Tensor) -> Tensor:
        """Return normalised `images`, float32, as the first layer takes them; may be the same."""
        ...

    def encode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return float32 `weights` in the form in which they are trained; may be the same."""
        ...

    def decode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return trained `weights` as real numbers, float32 or float64; may be the same."""
        ...

    def forward(
        self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output for `x`, and its mask.

        Of an addition, `more` is what is added; of dropout, the factor of each value.
        """
        ...

    def infer(self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor) -> Tensor:
        """Return the layer's output in evaluation."""
        ...

    def input_gradient(
        self,
        layer: Layer,
        weights: Weights | None,
        mask: Tensor | None,
        delta: Tensor,
        x: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient at each of the layer's inputs, given `delta` at its output.

        Of a layer that `reads_input`, `x` is what it has read.
        """
        ...

    def norm_gradients(
        self, layer: Layer, weights: Weights, mask: Tensor, delta: Tensor, x: Tensor
    ) -> tuple[Tensor, Weights]:
        """Return the gradients at the input of a norm, and of its weights: one needs the other."""
        ...

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the gradients of weight and bias, summed over the batch."""
        ...

    def softmax_cross_entropy(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return softmax [batch, classes] and the loss of each sample [batch], in nat."""
        ...

    def logit_gradient(self, probabilities: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """Return the gradient of the batch mean loss at the logits: (softmax - one-hot) / size.

        `batch_size` is that of the whole step, also when only some of its samples are given.
        """
        ...

    def add(self, gradients: Sequence[Weights], more: Sequence[Weights]) -> list[Weights]:
        """Return the sum of two sets of weight gradients, which may be either's memory."""
        ...

    def update_parts(
        self, weights: Sequence[Weights], momenta: Sequence[Weights]
    ) -> Sequence[UpdatePart]:
        """Return `update` in parts, for weights and momenta that stay where they are: same bits."""
        ...

    def update(
        self,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
        gradients: Sequence[Weights],
        rule: UpdateRule,
    ) -> None:
        """Do one SGD step in place: m <- momentum * m + g + decay * w, then w <- w - rate * m."""
        ...


def batched(size: int, shape: Shape) -> tuple[int, ...]:
    """Return `shape` of one sample with a batch dimension of `size` before it."""
    return (size, *shape)
