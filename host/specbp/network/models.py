"""The CNNs that are trained, each an `nn.Module` that the lowering accepts."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from specbp.errors import UsageError, nearest
from specbp.network.plain import NO_MODELS, require_plain
from specbp.network.residual import resnet8, resnet8_plain, resnet20, with_kaiming_weights
from specbp.user_code import attribute, errors_named, torch_untouched


def digits_cnn(channels: int, classes: int) -> nn.Sequential:
    """Return a small CNN for 8x8 images: two 3x3 convolutions and one linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, classes),
    )


def lenet5(channels: int, classes: int) -> nn.Sequential:
    """Return LeNet-5 for 28x28 images, with ReLU and max pooling as in current practice.

    Layer sizes from LeCun et al., "Gradient-based learning applied to document recognition",
    Proc. IEEE 86 (1998).
    """
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def _three_blocks(
    channels: int, classes: int, widths: tuple[int, int, int], hidden: int
) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for width in widths:
        blocks += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Linear(channels * 4 * 4, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )


def cifar_cnn(channels: int, classes: int) -> nn.Sequential:
    """Return three 3x3 convolution blocks of 32, 64, 128 channels and 256 hidden units."""
    return _three_blocks(channels, classes, (32, 64, 128), 256)


def cifar_cnn_s(channels: int, classes: int) -> nn.Sequential:
    """Return `cifar_cnn` at half its width: 16, 32, 64 channels and 128 hidden units."""
    return _three_blocks(channels, classes, (16, 32, 64), 128)


def vgg8(channels: int, classes: int) -> nn.Sequential:
    """Return six 3x3 convolutions (64, 64, 128, 128, 256, 256) and two linear layers, 32x32."""
    blocks: list[nn.Module] = []
    for width in (64, 128, 256):
        for _ in range(2):
            blocks += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        blocks.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *blocks, nn.Flatten(), nn.Linear(256 * 4 * 4, 256), nn.ReLU(), nn.Linear(256, classes)
    )


def vgg11_bn(channels: int, classes: int) -> nn.Sequential:
    """Return VGG-11 with batch norm for 32x32 images: eight convolutions and one linear layer.

    Layer sizes from Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, with the one linear layer that is usual for CIFAR.
    """
    layers: list[nn.Module] = []
    for widths in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for width in widths:
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        layers.append(nn.MaxPool2d(2))
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, classes))
    return with_kaiming_weights(model)


def depthwise_cnn(channels: int, classes: int) -> nn.Sequential:
    """Return a small network of depthwise and pointwise convolutions, for 32x32 images.

    In the manner of Howard et al., "MobileNets: efficient convolutional neural networks for mobile
    vision applications" (2017).
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, 32, 3, padding=1, bias=False)]
    layers += [nn.BatchNorm2d(32), nn.ReLU()]
    before = 32
    for width, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        for convolution in (
            nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False),
            nn.Conv2d(before, width, 1, bias=False),
        ):
            layers += [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]
        before = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]
    return with_kaiming_weights(nn.Sequential(*layers, *head))


class BuiltIn(NamedTuple):
    """A model of this package.

    Attributes:
        build: makes it, given the channels of the images and the number of classes.
        image_size: height and width of the images that it is for.
    """

    build: Callable[[int, int], nn.Module]
    image_size: int


MODELS: dict[str, BuiltIn] = {
    "digits-cnn": BuiltIn(digits_cnn, 8),
    "lenet5": BuiltIn(lenet5, 28),
    "cifar-cnn": BuiltIn(cifar_cnn, 32),
    "cifar-cnn-s": BuiltIn(cifar_cnn_s, 32),
    "vgg8": BuiltIn(vgg8, 32),
    "vgg11-bn": BuiltIn(vgg11_bn, 32),
    "resnet8": BuiltIn(resnet8, 32),
    "resnet8-plain": BuiltIn(resnet8_plain, 32),
    "resnet20": BuiltIn(resnet20, 32),
    "depthwise-cnn": BuiltIn(depthwise_cnn, 32),
}
"""The models of this package by name."""


def find(name: str) -> object:
    """Return what builds the model called `name`, or the model itself where it is built already.

    Args:
        name: a key of `MODELS`, or ``module:attribute``. The current folder is searched too.

    Raises:
        UsageError: there is none, or its module cannot be imported.
    """
    if name in MODELS:
        return MODELS[name].build
    if ":" not in name:
        raise UsageError(
            f'unknown model "{name}"{nearest(name, MODELS)}: '
            f"choose one of {', '.join(MODELS)}, or your own as module:attribute"
        )
    return attribute("model", name)


def build(name: str, channels: int, classes: int, seed: int) -> nn.Module:
    """Build the model called `name` with initial weights drawn from `seed`.

    Args:
        name: a key of `MODELS`, or ``module:attribute`` for your own: a function that takes
            nothing, or (channels, classes), and returns an ``nn.Module``; or one that is built
            already, whose layers are then initialised anew from the seed. The current folder is
            searched too.
        channels: channels of the images.
        classes: number of labels.
        seed: seeds PyTorch's default initialisation; the global generator is left untouched.

    Raises:
        UsageError: no such model, or it cannot be built.
    """
    found = find(name)
    with torch_untouched(seed):
        if isinstance(found, nn.Module):
            return _initialised_anew(name, found)
        if not callable(found):
            raise _wrong(name, found)
        arguments = _arguments(name, found, channels, classes)
        with errors_named("model", name, "building it"):
            model = found(*arguments)
    return _made_of_layers(name, model)


def _initialised_anew(name: str, built: nn.Module) -> nn.Module:
    """Return a copy of a model that is built, with initial weights from the global generator."""
    require_plain(_made_of_layers(name, built))
    with errors_named("model", name, "copying it"):
        model = copy.deepcopy(built)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return model


def _arguments(
    name: str, builder: Callable[..., object], channels: int, classes: int
) -> tuple[int, ...]:
    """Return what to call `builder` with: nothing, or channels and classes.

    Raises:
        UsageError: it takes something else.
    """
    try:
        signature = inspect.signature(builder)
    except (TypeError, ValueError):  # written in C: it does not say
        return ()
    for arguments in ((), (channels, classes)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return arguments
    raise UsageError(
        f'model "{name}" takes {signature}: a function that builds a model takes nothing, '
        "or (channels, classes)"
    )


def _made_of_layers(name: str, found: object) -> nn.Module:
    if not isinstance(found, nn.Module) or isinstance(found, NO_MODELS):
        raise _wrong(name, found)
    return found


def _wrong(name: str, found: object) -> UsageError:
    kind = type(found).__name__
    return UsageError(f'model "{name}" gives a {kind}, not an nn.Module made of layers')
