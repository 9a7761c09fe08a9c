"""Calibration: the scales of a network, from a few batches through its initial weights.

Values grow while a network learns, by factors that the initial weights do not show, and the
activations and deltas of most nets end in much the same range. So a scale has headroom above the
largest value seen, and a range below which it never falls (``MOST_..._BITS``).

It runs in float64: rounding errors of 1e-16 do not move a largest value across a power of two, so
every machine, and any number of threads, chooses the same scales.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from specbp.arithmetic.fixed_point import fraction_bits
from specbp.arithmetic.float32 import Float32
from specbp.arithmetic.scales import (
    MASTER_BITS,
    ONE_BITS,
    PROBABILITY_BITS,
    LayerScales,
    Scales,
    WeightScales,
    require_int16,
    require_within_accumulator,
    window_bits,
)
from specbp.network import AveragePooling, Layer, Network, Weights

IMAGE_HEADROOM = 1
ACTIVATION_HEADROOM = 4
WEIGHT_HEADROOM = 3
DELTA_HEADROOM = 4
GRADIENT_HEADROOM = 10
"""Bits kept free above the largest value seen; gradients have 31 bits, the others 15."""

MOST_ACTIVATION_BITS = 10
MOST_WEIGHT_BITS = 15
MOST_DELTA_BITS = 15
"""Most fraction bits: activations reach at least 32, weights and deltas 1."""

_REAL = Float32()
"""Its methods compute in the precision of the tensors they are given: float64 here."""


@dataclass(frozen=True)
class Largest:
    """The largest absolute values seen.

    Attributes:
        activations: at the input of each layer, and at the logits.
        deltas: input gradients at the same places.
        gradients: gradients of weight and bias, for each layer with weights.
    """

    activations: list[float]
    deltas: list[float]
    gradients: list[tuple[float, float]]


def calibrate(
    network: Network, weights: Sequence[Weights], batches: Sequence[tuple[Tensor, Tensor]]
) -> Scales:
    """Choose the scales of all tensors.

    Args:
        network: the chain of layers.
        weights: initial weights of each layer with weights, float.
        batches: images, float [batch, channels, height, width], normalised, and their labels,
            int64 [batch]; at least one batch, all of one size.

    Raises:
        UsageError: int16 arithmetic cannot train the network: see `require_int16` and
            `require_within_accumulator`.
    """
    require_int16(network)
    initial = [(weight.double(), bias.double()) for weight, bias in weights]
    seen = [_observe(network, initial, images.double(), labels) for images, labels in batches]
    largest = Largest(
        [max(values) for values in zip(*(one.activations for one in seen), strict=True)],
        [max(values) for values in zip(*(one.deltas for one in seen), strict=True)],
        [
            (max(weight for weight, _ in pairs), max(bias for _, bias in pairs))
            for pairs in zip(*(one.gradients for one in seen), strict=True)
        ],
    )
    scales = _choose(network, initial, largest, len(batches[0][1]))
    require_within_accumulator(network, scales)
    return scales


def _observe(
    network: Network, weights: Sequence[Weights], images: Tensor, labels: Tensor
) -> Largest:
    """Run one batch forward and backward through all layers."""
    remaining = iter(weights)
    inputs, ran = [images], []
    for layer in network.layers:
        given = next(remaining) if layer.has_weights else None
        output, mask = _REAL.forward(layer, given, inputs[-1])
        ran.append((layer, given, mask, inputs[-1]))
        inputs.append(output)
    probabilities, _ = _REAL.softmax_cross_entropy(inputs[-1], labels)
    deltas = [_REAL.logit_gradient(probabilities, labels, 1)]
    gradients: list[Weights] = []
    for layer, given, mask, x in reversed(ran):
        if layer.has_weights:
            gradients.append(_REAL.weight_gradient(layer, x, deltas[-1]))
        deltas.append(_REAL.input_gradient(layer, given, mask, deltas[-1]))
    return Largest(
        [_largest(x) for x in inputs],
        [_largest(delta) for delta in reversed(deltas)],
        [(_largest(weight), _largest(bias)) for weight, bias in reversed(gradients)],
    )


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().amax())


def _choose(
    network: Network, weights: Sequence[Weights], largest: Largest, batch_size: int
) -> Scales:
    weight_bits = [
        _at_most(MOST_WEIGHT_BITS, _largest(weight), WEIGHT_HEADROOM) for weight, _ in weights
    ]
    factors = list(_factor_bits(network, weight_bits))
    activations = _activation_bits(network, largest.activations, factors)
    deltas = _delta_bits(network, largest.deltas, factors)
    trained = iter(zip(weight_bits, largest.gradients, strict=True))
    layers: dict[str, LayerScales] = {}
    for index, layer in enumerate(network.layers):
        x, output = activations[index : index + 2]
        input_delta, output_delta = deltas[index : index + 2]
        weight_scales = None
        if layer.has_weights:
            weight, (weight_gradient, bias_gradient) = next(trained)
            weight_scales = WeightScales(
                weight=weight,
                bias=min(x + weight, output + MASTER_BITS),
                weight_gradient=_gradient_bits(weight_gradient, x + output_delta),
                bias_gradient=_gradient_bits(bias_gradient, ONE_BITS + output_delta),
            )
        layers[layer.name] = LayerScales(x, output, input_delta, output_delta, weight_scales)
    return Scales(layers, activations[-1], batch_size)


def _gradient_bits(largest: float, accumulator_bits: int) -> int:
    return min(accumulator_bits, fraction_bits(largest, GRADIENT_HEADROOM, 31))


def _activation_bits(network: Network, largest: list[float], factors: list[int]) -> list[int]:
    """Return the fraction bits at the input of each layer, and of the logits."""
    wanted = [
        _at_most(MOST_ACTIVATION_BITS, value, ACTIVATION_HEADROOM)
        for value in _over_segments(_segments(network), largest)
    ]
    bits = [fraction_bits(largest[0], IMAGE_HEADROOM, 15)]
    for index, layer in enumerate(network.layers):
        of_sums = bits[-1] + factors[index]
        bits.append(min(wanted[index + 1], of_sums) if _rescales(layer) else bits[-1])
    return bits


def _delta_bits(network: Network, largest: list[float], factors: list[int]) -> list[int]:
    """Return the fraction bits of the gradients at the input of each layer, and at the logits."""
    wanted = [
        _at_most(MOST_DELTA_BITS, value, DELTA_HEADROOM)
        for value in _over_segments(_segments(network), largest)
    ]
    bits = [PROBABILITY_BITS]
    for index in range(len(network.layers) - 1, -1, -1):
        of_sums = bits[-1] + factors[index]
        rescales = _rescales(network.layers[index])
        bits.append(min(wanted[index], of_sums) if rescales else bits[-1])
    return bits[::-1]


def _at_most(most: int, largest: float, headroom: int) -> int:
    return min(most, fraction_bits(largest, headroom, 15))


def _rescales(layer: Layer) -> bool:
    """Whether `layer` forms sums, which get a scale of their own; the others keep their input's."""
    return layer.has_weights or isinstance(layer.operation, AveragePooling)


def _factor_bits(network: Network, weight_bits: Sequence[int]) -> Iterator[int]:
    """Yield for each layer by how many fraction bits its sums exceed what is summed."""
    remaining = iter(weight_bits)
    for layer in network.layers:
        yield next(remaining) if layer.has_weights else window_bits(layer)


def _segments(network: Network) -> list[int]:
    """Number the stretches of the chain within which the scale stays, one entry per place."""
    segments = [0]
    for layer in network.layers:
        segments.append(segments[-1] + _rescales(layer))
    return segments


def _over_segments(segments: list[int], values: list[float]) -> list[float]:
    """Return for each place the largest value of its stretch."""
    most = [0.0] * (segments[-1] + 1)
    for segment, value in zip(segments, values, strict=True):
        most[segment] = max(most[segment], value)
    return [most[segment] for segment in segments]
