"""The CNNs that are trained, each an `nn.Sequential`."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from specbp.errors import UsageError, nearest


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


MODELS: dict[str, Callable[[int, int], nn.Sequential]] = {
    "digits-cnn": digits_cnn,
    "lenet5": lenet5,
    "cifar-cnn": cifar_cnn,
    "cifar-cnn-s": cifar_cnn_s,
    "vgg8": vgg8,
}
"""Builders by name; each takes the input channels and the number of classes."""


def build(name: str, channels: int, classes: int, seed: int) -> nn.Sequential:
    """Build the model called `name` with initial weights drawn from `seed`.

    Args:
        name: a key of `MODELS`, or ``module:attribute`` for your own: a function that takes
            nothing and returns an ``nn.Sequential``, or one that is built already, whose layers
            are then initialised anew from the seed. The current folder is searched too.
        channels: channels of the images.
        classes: number of labels.
        seed: seeds PyTorch's default initialisation; the global generator is left untouched.

    Raises:
        UsageError: no such model, or the attribute is not what it must be.
    """
    with torch.random.fork_rng(devices=[]):
        if name in MODELS:
            _seed(seed)
            return MODELS[name](channels, classes)
        if ":" in name:
            return _own(name, seed)
    raise UsageError(
        f'unknown model "{name}"{nearest(name, MODELS)}: '
        f"choose one of {', '.join(MODELS)}, or your own as module:attribute"
    )


def _seed(seed: int) -> None:
    """Seed the generator of the processor.

    `torch.manual_seed` means all devices, and remembers every call, with its stack, for those that
    are not in use.
    """
    torch.default_generator.manual_seed(seed)


def _own(name: str, seed: int) -> nn.Sequential:
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f'model "{name}": {error}') from error
    _seed(seed)
    if isinstance(found, nn.Sequential):
        model = copy.deepcopy(found)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        return model
    model = found() if callable(found) else found
    if not isinstance(model, nn.Sequential):
        raise UsageError(f'model "{name}" gives a {type(model).__name__}, not an nn.Sequential')
    return model
