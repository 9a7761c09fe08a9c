"""Scales: where the binary point lies in each tensor of each layer, and the shifts that follow.

A scale is a plain integer, the *fraction bits* f of a tensor: its integers count steps of 2^-f.
Scales are chosen once, before training (`specbp.arithmetic.calibration`), so that a compiler can
put the shifts into the descriptors of the hardware.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specbp.arithmetic.fixed_point import (
    ACCUMULATOR_MAX,
    INT16_MAX,
    INT32_MAX,
    LARGEST_SHIFT,
)
from specbp.errors import UsageError
from specbp.network import AveragePooling, Convolution, Layer, Linear, Network, chain_fault

PROBABILITY_BITS = 14
"""Fraction bits of softmax and of the delta at the logits: 1 is 2^14, and -1 fits int16."""

ONE_BITS = 14
"""Fraction bits of the constant 1 that the bias gradient takes for the layer input."""

MASTER_BITS = 16
"""How many more fraction bits a master weight has than the int16 weight rounded from it."""

LEAST_LOGIT_BITS = -6
"""Fraction bits of the logits below which softmax would shift to the left."""

MOST_CLASSES = 511
"""With more classes the sum inside softmax could exceed 32 bits."""


@dataclass(frozen=True)
class WeightScales:
    """Fraction bits of what a layer trains.

    Attributes:
        weight: scale of the int16 weight; the int32 master has `MASTER_BITS` more.
        bias: scale of the int32 master of the bias.
        weight_gradient: scale of gradient and momentum of the weight, both int32.
        bias_gradient: scale of gradient and momentum of the bias, both int32.
    """

    weight: int
    bias: int
    weight_gradient: int
    bias_gradient: int

    @property
    def weight_master(self) -> int:
        """Fraction bits of the int32 master of the weight."""
        return self.weight + MASTER_BITS

    @property
    def update_bits(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Fraction bits of master and gradient: of the weight, and of the bias."""
        return (self.weight_master, self.weight_gradient), (self.bias, self.bias_gradient)


@dataclass(frozen=True)
class LayerScales:
    """Fraction bits of the tensors of one layer, all int16 but `weights`.

    Attributes:
        input: scale of the layer's input.
        output: scale of the layer's output.
        input_delta: scale of the gradient at the layer's input.
        output_delta: scale of the gradient at the layer's output.
        weights: scales of the trained tensors; None for a layer without weights.
    """

    input: int
    output: int
    input_delta: int
    output_delta: int
    weights: WeightScales | None = None

    @property
    def trained(self) -> WeightScales:
        """`weights` of a layer that has some."""
        assert self.weights is not None
        return self.weights

    @property
    def bias_left_shift(self) -> int:
        """Bits by which the bias is shifted left to stand at the accumulator's scale."""
        return self.input + self.trained.weight - self.trained.bias

    @property
    def weight_gradient_shift(self) -> int:
        """Bits dropped from the accumulated weight gradient."""
        return self.input + self.output_delta - self.trained.weight_gradient

    @property
    def bias_gradient_shift(self) -> int:
        """Bits dropped from the accumulated bias gradient."""
        return ONE_BITS + self.output_delta - self.trained.bias_gradient

    def forward_shift(self, layer: Layer) -> int:
        """Return the bits dropped from the sums that are the output of `layer`."""
        return self.input + self._factor_bits(layer) - self.output

    def input_gradient_shift(self, layer: Layer) -> int:
        """Return the bits dropped from the sums that are the gradient at the input of `layer`."""
        return self.output_delta + self._factor_bits(layer) - self.input_delta

    def _factor_bits(self, layer: Layer) -> int:
        return self.trained.weight if layer.has_weights else window_bits(layer)


@dataclass(frozen=True)
class Scales:
    """The scales of a network.

    Attributes:
        layers: by the name of the layer.
        logits: fraction bits of the logits.
        batch_size: samples of a step; its inverse is part of the learning rate.
    """

    layers: Mapping[str, LayerScales]
    logits: int
    batch_size: int


def window_bits(layer: Layer) -> int:
    """Return the logarithm of the window of an average pooling, 0 for any other layer."""
    if not isinstance(layer.operation, AveragePooling):
        return 0
    return math.prod(layer.operation.kernel).bit_length() - 1


def require_int16(network: Network) -> None:
    """Check that int16 arithmetic can train `network`.

    Raises:
        UsageError: the network is not a chain of convolutions, linear layers, ReLU and poolings
            with biases, the window of an average pooling is not a power of two, or there are more
            than `MOST_CLASSES` classes.
    """
    if fault := chain_fault(network):
        raise UsageError(
            f"{fault}: int16 arithmetic trains chains of convolutions and linear layers with "
            "biases, ReLU and poolings; take --arithmetic float32 for it, or a model such as "
            "cifar-cnn"
        )
    for layer in network.layers:
        if isinstance(layer.operation, AveragePooling):
            size = math.prod(layer.operation.kernel)
            if size & (size - 1):
                raise UsageError(
                    f"layer {layer.name} averages windows of {size}: int16 arithmetic divides "
                    "by shifting, so the size must be a power of two"
                )
    if network.classes > MOST_CLASSES:
        raise UsageError(f"{network.classes} classes: int16 arithmetic has at most {MOST_CLASSES}")


def require_within_accumulator(network: Network, scales: Scales) -> None:
    """Check that no sum can leave the 48-bit accumulator, whatever the data, and every shift.

    Raises:
        UsageError: one can, or a shift is not one the hardware has; the message names the layer,
            the pass and the limit.
    """
    if scales.logits < LEAST_LOGIT_BITS:
        raise UsageError(
            f"logits with {scales.logits} fraction bits are too large for int16 arithmetic"
        )
    for layer in network.layers:
        for total in _sums(layer, scales.layers[layer.name], scales.batch_size):
            _require_possible(layer, total)


@dataclass(frozen=True)
class _Sum:
    """A kind of sum that a layer forms, at its largest.

    Attributes:
        name: name of the layer's result.
        products: how many int16 products are summed.
        shift: bits dropped from the sum.
        left_shift: bits by which an int32 constant is shifted and added; None without one.
    """

    name: str
    products: int
    shift: int
    left_shift: int | None = None


def _require_possible(layer: Layer, total: _Sum) -> None:
    for name, shift in (("shift", total.shift), ("left shift", total.left_shift or 0)):
        if not 0 <= shift <= LARGEST_SHIFT:
            raise UsageError(
                f"layer {layer.name}: the {total.name} needs a {name} of {shift} bits in int16 "
                f"arithmetic, which has 0 to {LARGEST_SHIFT}"
            )
    constant = 0 if total.left_shift is None else INT32_MAX << total.left_shift
    half = 2 ** (total.shift - 1) if total.shift else 0
    most = max(0, (ACCUMULATOR_MAX - constant - half) // INT16_MAX**2)
    if total.products > most:
        raise UsageError(
            f"layer {layer.name}: the {total.name} sums {total.products} products, the 48-bit "
            f"accumulator of int16 arithmetic holds {most}: use a smaller batch or layer"
        )


def _sums(layer: Layer, scales: LayerScales, batch_size: int) -> Iterator[_Sum]:
    """Yield the sums that `layer` forms, forward and backward."""
    match layer.operation:
        case Convolution() as op:
            window = math.prod(op.kernel)
            products = op.in_channels * window, op.out_channels * window
            positions = math.prod(layer.output_shape[1:])
        case Linear() as op:
            products, positions = (op.in_features, op.out_features), 1
        case AveragePooling() as op:
            window = math.prod(op.kernel)
            yield _Sum("output", window, scales.forward_shift(layer))
            yield _Sum("input gradient", window, scales.input_gradient_shift(layer))
            return
        case _:
            return
    yield _Sum("output", products[0], scales.forward_shift(layer), scales.bias_left_shift)
    yield _Sum("input gradient", products[1], scales.input_gradient_shift(layer))
    yield _Sum("weight gradient", batch_size * positions, scales.weight_gradient_shift)
    yield _Sum("bias gradient", batch_size * positions, scales.bias_gradient_shift)
