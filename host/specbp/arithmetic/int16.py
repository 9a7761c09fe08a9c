"""int16: the number format of the overlay, exact to the bit.

Tensors are integers in float64. The sums of a layer are those of `Float32` on such tensors: every
product and partial sum is below 2^53, so whatever the order, kernel or device, float64 gives the
exact integer. What int16 adds is where a sum is rounded, and to what.

``overlays/specbp/ARITHMETIC.md`` is the specification; the hardware follows it too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from torch import Tensor

from specbp.arithmetic import Numbers, UpdatePart, UpdateRule
from specbp.arithmetic.fixed_point import INT16_MAX, INT32_MAX, encode, requantise_
from specbp.arithmetic.float32 import Float32
from specbp.arithmetic.int16_softmax import softmax
from specbp.arithmetic.int16_update import step_, step_integers
from specbp.arithmetic.scales import (
    MASTER_BITS,
    ONE_BITS,
    PROBABILITY_BITS,
    LayerScales,
    Scales,
    window_bits,
)
from specbp.network import AveragePooling, Layer, MaxPooling, Network, Weights

_EXACT = Float32()
"""Its methods compute in the precision of the tensors they are given."""


class Int16:
    """int16 with one power-of-two scale per tensor; see `specbp.arithmetic.Arithmetic`.

    Weights are int32 masters, of which the layers see the upper 16 bits; momenta are int32;
    gradients stay exact sums until `update` rounds them once. Probabilities alone are real, so
    that a gate means the same in every number format: multiples of 2^-14.

    Args:
        network: the chain of layers.
        scales: scales of the tensors.
        saturations: counts, where given, the values that were cut off, by layer and tensor.
    """

    weight_limit = float(INT32_MAX)

    def __init__(
        self,
        network: Network,
        scales: Scales,
        saturations: Counter[tuple[str, str]] | None = None,
    ) -> None:
        self.scales = scales
        self._image_bits = scales.layers[network.layers[0].name].input
        self._trained = [scales.layers[layer.name] for layer in network.trained]
        self._saturations = saturations
        self._counting = Lock()

    def require_effect(self, rule: UpdateRule) -> None:
        """Reject numbers of an update that int16 cannot express, or that are nothing in it.

        Raises:
            UsageError: a learning rate, momentum or weight decay above 0 is 0 for some layer, or
                too large.
        """
        for layer in self._trained:
            for bits in layer.trained.update_bits:
                step_integers(rule, self.scales.batch_size, *bits).require_effect(rule)

    def encode_images(self, images: Tensor) -> Tensor:
        """Return `images` at the scale of the first layer's input."""
        return encode(images, self._image_bits, INT16_MAX)

    def encode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return the int32 masters nearest to `weights`."""
        return [
            (
                encode(weight, scales.trained.weight_master, INT32_MAX),
                encode(bias, scales.trained.bias, INT32_MAX),
            )
            for (weight, bias), scales in zip(weights, self._trained, strict=True)
        ]

    def decode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return the real values of the masters, exactly, as float64."""
        return [
            (weight * 2.0**-scales.trained.weight_master, bias * 2.0**-scales.trained.bias)
            for (weight, bias), scales in zip(weights, self._trained, strict=True)
        ]

    def forward(
        self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output for `x`, and its mask."""
        scales = self.scales.layers[layer.name]
        if weights is not None:
            bias = weights[1] * 2.0**scales.bias_left_shift
            sums, mask = _EXACT.forward(layer, (upper_half(weights[0]), bias), x)
        else:
            sums, mask = _EXACT.forward(layer, None, x)
            if not isinstance(layer.operation, AveragePooling):
                return sums, mask
            sums.mul_(2.0 ** window_bits(layer))
        return self._int16(sums, scales.forward_shift(layer), layer, "output"), mask

    def infer(self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor) -> Tensor:
        """Return the layer's output: in evaluation it is what it is in training."""
        return self.forward(layer, weights, x, *more)[0]

    def input_gradient(
        self,
        layer: Layer,
        weights: Weights | None,
        mask: Tensor | None,
        delta: Tensor,
        x: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient at the layer's input, given `delta` at its output."""
        scales = self.scales.layers[layer.name]
        if weights is not None:
            weights = (upper_half(weights[0]), weights[1])
        sums = _EXACT.input_gradient(layer, weights, mask, delta)
        if isinstance(layer.operation, AveragePooling):
            sums.mul_(2.0 ** window_bits(layer))
        elif not layer.has_weights and not isinstance(layer.operation, MaxPooling):
            return sums
        return self._int16(sums, scales.input_gradient_shift(layer), layer, "input delta")

    def norm_gradients(
        self, layer: Layer, weights: Weights, mask: Tensor, delta: Tensor, x: Tensor
    ) -> tuple[Tensor, Weights]:
        """Raise: `require_int16` refuses norms."""
        raise TypeError(f"{layer.name} has no int16 arithmetic")

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the exact gradients of weight and bias, summed over the batch."""
        weight, bias = _EXACT.weight_gradient(layer, x, delta)
        return weight, bias.mul_(2.0**ONE_BITS)

    def softmax_cross_entropy(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return softmax [batch, classes] and the loss of each sample [batch], in nat.

        The loss is only reported: it is that of the real softmax of `logits`, in float64.
        """
        bits = self.scales.logits
        _, losses = _EXACT.softmax_cross_entropy(logits * 2.0**-bits, labels)
        return softmax(logits, bits).double().mul_(2.0**-PROBABILITY_BITS), losses

    def logit_gradient(self, probabilities: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """Return softmax - one-hot in steps of 2^-14: the batch size is left to the update."""
        return _EXACT.logit_gradient(probabilities, labels, 1).mul_(2.0**PROBABILITY_BITS)

    def add(self, gradients: Sequence[Weights], more: Sequence[Weights]) -> list[Weights]:
        """Return the sum of two sets of weight gradients, in the memory of the first."""
        return _EXACT.add(gradients, more)

    def update_parts(
        self, weights: Sequence[Weights], momenta: Sequence[Weights]
    ) -> Sequence[UpdatePart]:
        """Return `update` layer by layer."""
        layers = zip(self._trained, weights, momenta, strict=True)
        return [LayerUpdate(layer, self.scales.batch_size, *of) for layer, of in enumerate(layers)]

    def update(
        self,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
        gradients: Sequence[Weights],
        rule: UpdateRule,
    ) -> None:
        """Round the gradients to int32 and do one SGD step in place."""
        for part, pair in zip(self.update_parts(weights, momenta), gradients, strict=True):
            part.do([pair], Numbers(rule))

    def _int16(self, sums: Tensor, shift: int, layer: Layer, tensor: str) -> Tensor:
        """Requantise `sums` in place, and count what is cut off where that is asked for."""
        if self._saturations is not None:
            rounded = requantise_(sums.clone(), shift, INT32_MAX)
            cut_off = int((rounded.abs() > INT16_MAX).sum())
            with self._counting:  # two engines may be at the same layer
                self._saturations[layer.name, tensor] += cut_off
        return requantise_(sums, shift, INT16_MAX)


@dataclass(frozen=True)
class LayerUpdate:
    """The update of one layer; see `specbp.arithmetic.UpdatePart`.

    Attributes:
        layer: position among the layers with weights.
        batch_size: samples whose gradients are summed.
        scales: scales of the layer.
        weights: weights of the layer.
        momenta: momentum buffers, one for each tensor of `weights`.
    """

    layer: int
    batch_size: int
    scales: LayerScales
    weights: Weights
    momenta: Weights

    @property
    def layers(self) -> tuple[int, ...]:
        """Whose gradients it needs, as positions among the layers with weights."""
        return (self.layer,)

    def do(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Do it, given these gradients."""
        trained = self.scales.trained
        shifts = self.scales.weight_gradient_shift, self.scales.bias_gradient_shift
        kinds = zip(trained.update_bits, shifts, strict=True)
        for one in zip(self.weights, self.momenta, gradients[0], kinds, strict=True):
            weight, momentum, gradient, (bits, shift) = one
            integers = step_integers(numbers.rule, self.batch_size, *bits)
            step_(weight, momentum, requantise_(gradient, shift, INT32_MAX), integers)


def upper_half(master: Tensor) -> Tensor:
    """Return the int16 weight that the layers see of its int32 `master`."""
    return requantise_(master.clone(), MASTER_BITS, INT16_MAX)
