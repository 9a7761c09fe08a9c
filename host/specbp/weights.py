"""Weights that leave a training, and weights that it starts from: files in the form safetensors.

Tensors have the names of the user's model, as its ``state_dict()`` has them. int16 weights are the
int32 masters of the overlay, with the fraction bits of each: its value is the integer times
2 to the power of minus these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parsed
from safetensors.torch import save as serialised
from torch import Tensor, nn

from specbp.arithmetic import Arithmetic
from specbp.arithmetic.int16 import Int16
from specbp.errors import UsageError
from specbp.network import Network, Weights

NAMES = ("weight", "bias", "running_mean", "running_var")
"""What the tensors of a layer are called, in their order."""


@dataclass(frozen=True, eq=False)
class SavedWeights:
    """Weights of a network, in the number format that it was trained in.

    Attributes:
        tensors: by name in the user's model.
        fraction_bits: scale of each integer tensor, by name; empty for float32.
        about: what they are of, such as the cell and the model.
    """

    tensors: Mapping[str, Tensor]
    fraction_bits: Mapping[str, int]
    about: Mapping[str, Any]

    @property
    def state_dict(self) -> dict[str, Tensor]:
        """What the user's model takes, float32."""
        return {
            name: (tensor.double() * 2.0 ** -self.fraction_bits[name]).float()
            if name in self.fraction_bits
            else tensor
            for name, tensor in self.tensors.items()
        }

    @property
    def content(self) -> bytes:
        """The content of a file that holds them."""
        words = {"fraction_bits": self.fraction_bits, "about": self.about}
        metadata = {name: json.dumps(value, sort_keys=True) for name, value in words.items()}
        return bytes(serialised({**self.tensors}, metadata))


def saved_weights(
    network: Network, arithmetic: Arithmetic, weights: Sequence[Weights], about: Mapping[str, Any]
) -> SavedWeights:
    """Return the weights of a training as they leave it.

    Args:
        network: what was trained.
        arithmetic: number format of the training.
        weights: weights of each layer, in that number format.
        about: what they are of.
    """
    tensors: dict[str, Tensor] = {}
    bits: dict[str, int] = {}
    for layer, of_layer in zip(network.trained, weights, strict=True):
        path = layer.name.partition(":")[0]
        for name, tensor in zip(NAMES, of_layer, strict=False):
            kept = tensor.detach().cpu().contiguous().clone()
            # The reference computes integers exactly as float64.
            is_integer = isinstance(arithmetic, Int16)
            tensors[f"{path}.{name}"] = kept.to(torch.int32) if is_integer else kept
        if isinstance(arithmetic, Int16):
            scales = arithmetic.scales.layers[layer.name].trained
            bits |= {f"{path}.weight": scales.weight_master, f"{path}.bias": scales.bias}
    return SavedWeights(tensors, bits, about)


def read_weights(path: Path) -> SavedWeights:
    """Return what a file of weights holds; also of one that another program wrote.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        content = path.read_bytes()
        tensors = parsed(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__", {})
        bits, about = (json.loads(metadata.get(name, "{}")) for name in ("fraction_bits", "about"))
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from error
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{path}: it is no file of weights (safetensors): {error}") from error
    return SavedWeights(tensors, bits, about)


def load_into(model: nn.Module, path: Path) -> None:
    """Give `model` the weights of a file.

    Raises:
        UsageError: the file cannot be read, or is of another network.
    """
    state = read_weights(path).state_dict
    expected = model.state_dict()
    # How many batches a norm has seen is of no effect on what it computes here.
    counts = {name for name in expected if name.endswith("num_batches_tracked")}
    odd = sorted((state.keys() ^ expected.keys()) - counts)
    if odd:
        where = "is not in the file" if odd[0] in expected else "is not in the model"
        raise UsageError(f"initial_weights = {path}: it is of another network: {odd[0]} {where}")
    for name in state.keys() & expected.keys():
        if state[name].shape != expected[name].shape:
            raise UsageError(
                f"initial_weights = {path}: it is of another network: {name} is "
                f"{list(state[name].shape)}, the model has {list(expected[name].shape)}"
            )
        if not bool(state[name].isfinite().all()):
            raise UsageError(f"initial_weights = {path}: {name} has values that are no numbers")
    with torch.no_grad():
        model.load_state_dict({**{name: expected[name] for name in counts}, **state})
