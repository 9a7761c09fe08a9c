"""Between PyTorch's order of a tensor and the overlay's.

Arrays of the overlay have their channels last and filled up with zeros to whole words of four:
feature maps [sample][row][column][channel], weights [row][column][input][output], biases
[output]. A flattened map, and the weights of a linear layer behind a flatten, keep the order of the
map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack_map(values: NDArray[Any], into: NDArray[Any]) -> None:
    """Write [samples, channels, rows, columns], or [samples, features], into an overlay's map."""
    if values.ndim == 2:
        values = values[:, :, None, None]
    into[..., : values.shape[1]] = values.transpose(0, 2, 3, 1)


def unpack_map(packed: NDArray[Any], channels: int) -> NDArray[Any]:
    """Return [samples, channels, rows, columns] of an overlay's map."""
    return packed[..., :channels].transpose(0, 3, 1, 2)


def pack_weight(weight: NDArray[Any], into: NDArray[Any], inputs: int) -> None:
    """Write [outputs, inputs, rows, columns] into the overlay's weights.

    Args:
        weight: PyTorch's weight; of a linear layer [outputs, features].
        into: the overlay's.
        inputs: channels of the map whose features these are.
    """
    rows, columns = into.shape[:2]
    apart = weight.reshape(len(weight), inputs, rows, columns)
    into[:, :, :inputs, : len(weight)] = apart.transpose(2, 3, 1, 0)


def unpack_weight(packed: NDArray[Any], shape: tuple[int, ...], inputs: int) -> NDArray[Any]:
    """Return the overlay's weights in the order and `shape` that PyTorch has; see `pack_weight`."""
    return packed[:, :, :inputs, : shape[0]].transpose(3, 2, 0, 1).reshape(shape)


def pack_bias(bias: NDArray[Any], into: NDArray[Any]) -> None:
    """Write [outputs] into the overlay's biases."""
    into[: len(bias)] = bias


def pack_labels(labels: NDArray[Any], into: NDArray[np.int16]) -> None:
    """Write [samples] into the overlay's labels."""
    into[: len(labels)] = labels
