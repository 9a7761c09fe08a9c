"""Residual networks for 32x32 images.

He et al., "Deep residual learning for image recognition" (CVPR 2016), section 4.2, with a
1x1 convolution where a shortcut changes shape.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

WIDTHS = 16, 32, 64
"""Channels of the three stages."""

_Model = TypeVar("_Model", bound=nn.Module)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Args:
        before: channels of its input.
        width: channels of its output.
        stride: stride of the first convolution.
        norm: whether batch norm stands behind each convolution.
    """

    def __init__(self, before: int, width: int, stride: int, norm: bool) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(before, width, 3, stride, norm),
            nn.ReLU(),
            *_convolution(width, width, 3, 1, norm),
        )
        changes = stride != 1 or before != width
        shortcut = _convolution(before, width, 1, stride, norm) if changes else []
        self.shortcut = nn.Sequential(*shortcut)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways, rectified."""
        total: Tensor = self.relu(self.branch(x) + self.shortcut(x))
        return total


def _convolution(before: int, width: int, kernel: int, stride: int, norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=not norm)
    return [convolution, nn.BatchNorm2d(width)] if norm else [convolution]


def resnet8(channels: int, classes: int) -> nn.Sequential:
    """Return a residual network of one block for each of 16, 32, 64 channels, with batch norm."""
    return _resnet(channels, classes, blocks=1)


def resnet20(channels: int, classes: int) -> nn.Sequential:
    """Return a residual network of three blocks for each of 16, 32, 64 channels, batch norm."""
    return _resnet(channels, classes, blocks=3)


def resnet8_plain(channels: int, classes: int) -> nn.Sequential:
    """Return `resnet8` with biases in place of batch norm.

    Branches begin small, so that what the blocks add up to stays of one size without a norm.
    """
    model = _resnet(channels, classes, blocks=1, norm=False)
    blocks = [one for one in model.modules() if isinstance(one, Block)]
    with torch.no_grad():
        for block in blocks:
            last = block.branch[-1]
            assert isinstance(last, nn.Conv2d)
            last.weight.mul_(len(blocks) ** -0.5)
    return model


def _resnet(channels: int, classes: int, blocks: int, norm: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [*_convolution(channels, WIDTHS[0], 3, 1, norm), nn.ReLU()]
    before = WIDTHS[0]
    for width in WIDTHS:
        for _ in range(blocks):
            layers.append(Block(before, width, 1 if width in (before, WIDTHS[0]) else 2, norm))
            before = width
    model = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)
    )
    return with_kaiming_weights(model)


def with_kaiming_weights(model: _Model) -> _Model:
    """Return `model` with convolutions whose outputs have the variance of their inputs behind ReLU.

    He et al., "Delving deep into rectifiers" (ICCV 2015). Biases of convolutions begin at 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
