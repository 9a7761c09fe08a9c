"""float32, by the kernels PyTorch's own autograd calls, one layer and one pass at a time.

Autograd is not used because speculation needs the passes apart: input gradients before the layer
inputs are known, weight gradients for some samples of a batch only, both on another engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from specbp.arithmetic import Numbers, UpdatePart, UpdateRule, batched
from specbp.memory_order import channels_together, in_memory_order
from specbp.network import (
    GELU,
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    Linear,
    MaxPooling,
    Pair,
    ReLU,
    Shape,
    SiLU,
    Weights,
    trained_tensors,
)

_Kind = TypeVar("_Kind")
_kernels = torch.ops.aten

PART_ELEMENTS = 3 << 16
"""Elements of a weight in a part of the update, about: many small ones take longer together."""
SMALLEST_PART = 1 << 16
"""Weights of less than two of these are not cut."""
SMALL_ELEMENTS = 1 << 15
"""Layers with smaller weights are updated together."""
VECTOR_ELEMENTS = 64
"""A multiple of the elements of a vector register, of any processor."""


@dataclass(frozen=True)
class Float32:
    """IEEE single precision; see `specbp.arithmetic.Arithmetic` for what each method does.

    Attributes:
        memory_format: order in which images and kernels lie in memory, theirs and that of all
            that is computed from them. Shapes and values do not depend on it, speed does.
        label_smoothing: share of each label that the loss spreads evenly over all classes.
    """

    memory_format: torch.memory_format = torch.contiguous_format
    label_smoothing: float = 0.0
    weight_limit: ClassVar[float] = math.inf

    def encode_images(self, images: Tensor) -> Tensor:
        """Return `images` in the memory format."""
        return images.contiguous(memory_format=self.memory_format)

    def encode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return `weights`, kernels in the memory format."""
        return [tuple(map(self._formatted, tensors)) for tensors in weights]

    def decode_weights(self, weights: Sequence[Weights]) -> list[Weights]:
        """Return `weights` as they are."""
        return list(weights)

    def forward(
        self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output, and its mask."""
        match layer.operation:
            case Convolution() as op:
                weight, bias = _weight_and_bias(weights)
                return torch.conv2d(x, weight, bias, op.stride, op.padding, 1, op.groups), None
            case Linear():
                weight, bias = _weight_and_bias(weights)
                return x @ weight.t() if bias is None else torch.addmm(bias, x, weight.t()), None
            case ReLU():
                output = torch.relu(x)
                return output, output
            case LeakyReLU() as op:
                output = _kernels.leaky_relu(x, op.slope)
                return output, output
            case SiLU():
                return _kernels.silu(x), None
            case GELU() as op:
                return _kernels.gelu(x, approximate=op.approximate), None
            case MaxPooling() as op:
                output, choices = _kernels.max_pool2d_with_indices(
                    x, op.kernel, op.stride, op.padding
                )
                return output, choices
            case AveragePooling() as op:
                return _kernels.avg_pool2d(x, op.kernel, op.stride, op.padding), None
            case Flatten():
                return x.flatten(1), None
            case Addition():
                (other,) = more
                return x + other, None
            case BatchNorm() | GroupNorm():
                output, *statistics = _normalised(layer, _given(weights), x)
                return output, _stacked(layer, statistics)
            case Dropout():
                (factors,) = more
                return x * factors, factors

    def infer(self, layer: Layer, weights: Weights | None, x: Tensor, *more: Tensor) -> Tensor:
        """Return the layer's output in evaluation: by running statistics, without dropout."""
        match layer.operation:
            case BatchNorm() as op:
                weight, bias, mean, variance = _given(weights)
                output: Tensor = _kernels.native_batch_norm(
                    x, weight, bias, mean, variance, False, op.momentum, op.eps
                )[0]
                return output
            case Dropout():
                return x
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
        gradient: Tensor
        input_shape = batched(delta.shape[0], layer.input_shape)
        match layer.operation:
            case Convolution() as op:
                gradient = torch.conv_transpose2d(
                    delta,
                    _given(weights)[0],
                    None,
                    op.stride,
                    op.padding,
                    unreached(op, layer.input_shape, layer.output_shape),
                    op.groups,
                )
            case Linear():
                gradient = delta @ _given(weights)[0]
            case ReLU():
                gradient = _kernels.threshold_backward(delta, _given(mask), 0)
            case LeakyReLU() as op:
                gradient = _kernels.leaky_relu_backward(delta, _given(mask), op.slope, True)
            case SiLU():
                gradient = _kernels.silu_backward(delta, _given(x))
            case GELU() as op:
                gradient = _kernels.gelu_backward(delta, _given(x), approximate=op.approximate)
            case MaxPooling() as op:
                gradient = _kernels.max_pool2d_with_indices_backward(
                    delta,
                    self._empty(delta, input_shape),
                    op.kernel,
                    op.stride,
                    op.padding,
                    (1, 1),
                    False,
                    _given(mask),
                )
            case AveragePooling() as op:
                gradient = _kernels.avg_pool2d_backward(
                    delta,
                    self._empty(delta, input_shape),
                    op.kernel,
                    op.stride,
                    op.padding,
                    False,
                    True,
                    None,
                )
            case Flatten():
                gradient = self._formatted(delta.view(input_shape))
            case Addition():
                gradient = delta
            case Dropout():
                gradient = delta * _given(mask)
            case BatchNorm() | GroupNorm():
                gradient, _ = self.norm_gradients(
                    layer, _given(weights), _given(mask), delta, _given(x)
                )
        return gradient

    def norm_gradients(
        self, layer: Layer, weights: Weights, mask: Tensor, delta: Tensor, x: Tensor
    ) -> tuple[Tensor, Weights]:
        """Return the gradients at the input of a norm, and of its weights: one needs the other.

        Args:
            layer: a batch norm or group norm.
            weights: weights of the layer.
            mask: statistics that its forward left.
            delta: gradient at the output of the layer.
            x: input of the layer.
        """
        of_input, *of_weights = _norm_backward(layer, weights[0], x, delta, _unstacked(layer, mask))
        return of_input, tuple(of_weights)

    def weight_gradient(self, layer: Layer, x: Tensor, delta: Tensor) -> Weights:
        """Return the gradients of weight and bias, summed over the batch."""
        match layer.operation:
            case Convolution() as op:
                shape = (op.out_channels, op.in_channels // op.groups, *op.kernel)
                like = self._empty(delta, shape)  # only its shape matters
                stride = op.stride
                if self.memory_format is torch.channels_last and reads_pixels_apart(op):
                    # oneDNN's kernel for this writes beyond its memory (PyTorch 2.13, AVX2, one
                    # thread). The pixels that are read, side by side, need no stride.
                    x, stride = self.encode_images(x[:, :, :: stride[0], :: stride[1]]), (1, 1)
                _, of_weight, of_bias = _kernels.convolution_backward(
                    delta, x, like, [op.out_channels] if op.bias else None, stride, op.padding,
                    [1, 1], False, [0, 0], op.groups, [False, True, op.bias],
                )  # fmt: skip
                return (of_weight, of_bias) if op.bias else (of_weight,)
            case Linear() as op:
                of_weight = delta.t() @ x
                return (of_weight, delta.sum(0)) if op.bias else (of_weight,)
            case BatchNorm() | GroupNorm() as op:
                # The statistics of these very samples, whoever else's a mask may hold.
                neutral = x.new_ones(op.channels), x.new_zeros(op.channels)
                _, *statistics = _normalised(layer, neutral, x)
                _, *of_weights = _norm_backward(layer, neutral[0], x, delta, statistics)
                return tuple(of_weights)
        raise TypeError(f"{layer.name} has no weights")

    def softmax_cross_entropy(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return softmax [batch, classes] and the loss of each sample [batch], in nat."""
        log_softmax = torch.log_softmax(logits, 1)
        losses = -log_softmax.gather(1, labels[:, None])[:, 0]
        if self.label_smoothing:
            # A running sum adds one after the other, as any runtime can do it.
            total = log_softmax.cumsum(1)[:, -1]
            share = self.label_smoothing / logits.shape[1]
            losses = losses * (1 - self.label_smoothing) - total * share
        return log_softmax.exp(), losses

    def logit_gradient(self, probabilities: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """Return the gradient of the batch mean loss at the logits: (softmax - one-hot) / size."""
        gradient = probabilities / batch_size
        if self.label_smoothing:
            gradient.sub_(self.label_smoothing / probabilities.shape[1] / batch_size)
        one = -(1 - self.label_smoothing) / batch_size
        return gradient.scatter_(1, labels[:, None], one, reduce="add")

    def add(self, gradients: Sequence[Weights], more: Sequence[Weights]) -> list[Weights]:
        """Return the sum of two sets of weight gradients, in the memory of the first."""
        torch._foreach_add_(list(chain(*gradients)), list(chain(*more)))
        return list(gradients)

    def update_parts(
        self, weights: Sequence[Weights], momenta: Sequence[Weights]
    ) -> Sequence[UpdatePart]:
        """Return `update` in parts: large layers in several, all small ones in one."""
        return [PlainPart(one, one.within(weights), one.within(momenta)) for one in _cut(weights)]

    def update(
        self,
        weights: Sequence[Weights],
        momenta: Sequence[Weights],
        gradients: Sequence[Weights],
        rule: UpdateRule,
    ) -> None:
        """Do one SGD step in place: m <- momentum * m + g + decay * w, then w <- w - rate * m."""
        w, m, g = (_in_order(kind) for kind in (weights, momenta, gradients))
        _step(w, m, g, rule)

    def _formatted(self, one: Tensor) -> Tensor:
        return one.contiguous(memory_format=self.memory_format) if one.dim() == 4 else one

    def _empty(self, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return memory of `shape`: kernels take the order of their result from it."""
        if len(shape) != 4:
            return like.new_empty(shape)
        return torch.empty(
            shape, dtype=like.dtype, device=like.device, memory_format=self.memory_format
        )


@dataclass(frozen=True)
class Place:
    """Where a part of an update lies: whole layers, or rows of one; its bias goes with the last.

    Attributes:
        layers: positions among the layers with weights.
        rows: None for all.
        has_bias: whether the layer has a bias.
    """

    layers: tuple[int, ...]
    rows: slice | None = None
    has_bias: bool = True

    def within(self, pairs: Sequence[Weights]) -> list[Tensor]:
        """Return what lies in it of `pairs`, one for each layer with weights."""
        return self.of([pairs[layer] for layer in self.layers])

    def of(self, pairs: Sequence[Weights]) -> list[Tensor]:
        """Return what lies in it of `pairs`, one for each of its layers."""
        if self.rows is None:
            return _in_order(pairs)
        ((weight, *bias),) = map(trained_tensors, pairs)
        rows = weight[self.rows]
        return [rows, *bias] if self.has_bias else [rows]


@dataclass(frozen=True)
class PlainPart:
    """A part of an update; see `specbp.arithmetic.UpdatePart`.

    Attributes:
        place: device of the part.
        weights: what lies there of the weights.
        momenta: momentum buffers, one for each tensor of `weights`.
    """

    place: Place
    weights: list[Tensor]
    momenta: list[Tensor]

    @property
    def layers(self) -> tuple[int, ...]:
        """Whose gradients it needs, as positions among the layers with weights."""
        return self.place.layers

    def do(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Do it, given these gradients."""
        _step(self.weights, self.momenta, self.place.of(gradients), numbers.rule)


@dataclass(frozen=True)
class PredictingPart(PlainPart):
    """The same, and after it `predict` for what lies there.

    Together with the update, prediction finds weights and momenta in the cache, and both engines
    share it.

    Attributes:
        ahead: what lies there of the predicted weights.
    """

    ahead: list[Tensor]

    def do(self, gradients: Sequence[Weights], numbers: Numbers) -> None:
        """Do it, given these gradients."""
        super().do(gradients, numbers)
        _look_ahead(self.weights, self.momenta, self.ahead, numbers.distance)


def predicting_parts(
    weights: Sequence[Weights], momenta: Sequence[Weights], ahead: Sequence[Weights]
) -> list[PredictingPart]:
    """Return `Float32.update_parts` with a prediction."""
    return [
        PredictingPart(one, *map(one.within, (weights, momenta, ahead))) for one in _cut(weights)
    ]


def predict(
    weights: Sequence[Weights],
    momenta: Sequence[Weights],
    ahead: Sequence[Weights],
    distance: float,
) -> None:
    """Write to `ahead` where momentum alone will have brought the weights: w - distance * m.

    Linear weight prediction (Kosson et al., "Pipelined backpropagation at scale", 2021). Nesterov's
    momentum steps along g + momentum * m, which is m where gradients change slowly.

    Args:
        weights: weights of each layer with weights.
        momenta: momentum buffers, one for each tensor of `weights`.
        ahead: predicted weights, in the form of `weights`; overwritten.
        distance: learning rate times the number of steps to look ahead.
    """
    w, m, to = (list(chain(*map(trained_tensors, kind))) for kind in (weights, momenta, ahead))
    _look_ahead(w, m, to, distance)


def clear_subnormals(momenta: Sequence[Weights]) -> None:
    """Set to zero, in place, what is too small for a normal number.

    The momentum of a weight whose gradient stays zero, behind a dead ReLU, shrinks until it rounds
    to itself, and never gets to zero. It moves no weight any more, but processors take many times
    as long over such numbers.

    Args:
        momenta: momenta of each layer with weights.
    """
    for one in chain(*momenta):
        numbers = torch.finfo(one.dtype)
        largest_subnormal = numbers.tiny * (1 - numbers.eps)
        _kernels.hardshrink.out(one, largest_subnormal, out=one)


def _in_order(weights: Sequence[Weights]) -> list[Tensor]:
    """Return the trained tensors of all layers as they lie in memory."""
    return [in_memory_order(one) for one in chain(*map(trained_tensors, weights))]


def _step(w: list[Tensor], m: list[Tensor], g: list[Tensor], rule: UpdateRule) -> None:
    """Do one SGD step of weights `w` with momenta `m` and gradients `g`, in place.

    One pass over the memory, as in `torch.optim.SGD(fused=True)`. Without momentum, `m` stays.
    """
    torch._fused_sgd_(
        w,
        g,
        m if rule.momentum else [],
        weight_decay=rule.weight_decay,
        momentum=rule.momentum,
        lr=rule.learning_rate,
        dampening=0.0,
        nesterov=rule.nesterov,
        maximize=False,
        is_first_step=False,
    )


def _look_ahead(w: list[Tensor], m: list[Tensor], to: list[Tensor], distance: float) -> None:
    for weight, momentum, ahead in zip(w, m, to, strict=True):
        # Rounded twice, as any runtime can do it: a fused multiply-add is not everywhere.
        torch.mul(momentum, -distance, out=ahead).add_(weight)


def _cut(weights: Sequence[Weights]) -> list[Place]:
    """Cut layers into parts of an update: calling a kernel takes as long as updating a small one.

    Rows end where vectors end: kernels round the elements after the last whole vector differently.
    """
    parts: list[Place] = []
    small: list[int] = []
    for layer, (weight, *_) in enumerate(weights):
        if weight.numel() < SMALL_ELEMENTS:
            small.append(layer)
        elif weight.dim() != 2 or weight.numel() < 2 * SMALLEST_PART:
            parts.append(Place((layer,)))
        else:
            count, columns = weight.shape
            wanted = max(2, round(weight.numel() / PART_ELEMENTS))
            step = VECTOR_ELEMENTS // math.gcd(VECTOR_ELEMENTS, columns)
            rows = -(-count // wanted // step) * step
            parts += [
                Place((layer,), slice(i, i + rows), i + rows >= count)
                for i in range(0, count, rows)
            ]
    return [*parts, Place(tuple(small))] if small else parts


def _weight_and_bias(weights: Weights | None) -> tuple[Tensor, Tensor | None]:
    weight, *bias = _given(weights)
    return weight, bias[0] if bias else None


def _normalised(layer: Layer, weights: Weights, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the output of a norm, and mean and inverse deviation, of each channel or group.

    Running statistics, where they stand behind weight and bias, are brought up to date.
    """
    weight, bias, *running = weights
    found: tuple[Tensor, Tensor, Tensor]
    if isinstance(layer.operation, BatchNorm):
        momentum, eps = layer.operation.momentum, layer.operation.eps
        mean, variance = running or (None, None)
        found = _kernels.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)
        return found
    assert isinstance(layer.operation, GroupNorm)
    groups, eps = layer.operation.groups, layer.operation.eps
    sizes = len(x), x.shape[1], math.prod(x.shape[2:])
    found = _kernels.native_group_norm(x, weight, bias, *sizes, groups, eps)
    return found


def _norm_backward(
    layer: Layer,
    weight: Tensor,
    x: Tensor,
    delta: Tensor,
    statistics: Sequence[Tensor],
) -> Sequence[Tensor]:
    """Return the gradients at the input of a norm, of its weight and of its bias.

    All three, needed or not: the kernel of group norm crashes where the first is not asked for
    (PyTorch 2.13, channels last).
    """
    mean, deviation = statistics
    wanted = [True, True, True]
    found: Sequence[Tensor]
    if isinstance(layer.operation, BatchNorm):
        found = _kernels.native_batch_norm_backward(
            delta, x, weight, None, None, mean, deviation, True, layer.operation.eps, wanted
        )
        return found
    assert isinstance(layer.operation, GroupNorm)
    sizes = len(x), x.shape[1], math.prod(x.shape[2:])
    order = torch.channels_last if channels_together(x) else torch.contiguous_format
    delta = delta.contiguous(memory_format=order)
    found = _kernels.native_group_norm_backward(
        delta, x, mean, deviation, weight, *sizes, layer.operation.groups, wanted
    )
    return found


def _stacked(layer: Layer, statistics: Sequence[Tensor]) -> Tensor:
    """Return mean and deviation as one mask: [2, channels], or [batch, 2, groups]."""
    return torch.stack(tuple(statistics), 0 if isinstance(layer.operation, BatchNorm) else 1)


def _unstacked(layer: Layer, mask: Tensor) -> Sequence[Tensor]:
    """Return mean and deviation, of which `_stacked` made a mask."""
    by_batch = isinstance(layer.operation, BatchNorm)
    return mask.unbind(0) if by_batch else [one.contiguous() for one in mask.unbind(1)]


def reads_pixels_apart(op: Convolution) -> bool:
    """Return whether a convolution reads single pixels, and not all of them."""
    return op.kernel == (1, 1) and op.padding == (0, 0) and op.stride != (1, 1)


def unreached(op: Convolution, input_shape: Shape, output_shape: Shape) -> Pair:
    """Return how many rows and columns of the input, at its end, no window of a stride reaches."""
    vertical, horizontal = (
        size + 2 * padding - kernel - (outputs - 1) * stride
        for size, outputs, kernel, stride, padding in zip(
            input_shape[1:], output_shape[1:], op.kernel, op.stride, op.padding, strict=True
        )
    )
    return vertical, horizontal


def _given(value: _Kind | None) -> _Kind:
    assert value is not None
    return value
