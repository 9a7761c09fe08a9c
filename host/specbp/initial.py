"""What a training starts from: the model of an experiment, lowered, with its initial weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from specbp.datasets.catalog import DatasetInfo
from specbp.errors import UsageError
from specbp.network import Network, Weights, weights_sha256
from specbp.network.lowering import MisfitError, lower
from specbp.network.models import MODELS, build, find


@dataclass(frozen=True)
class Identity:
    """What tells one network from another: the columns of the frame `runs` that prove it.

    Attributes:
        network_sha256: SHA-256 of what the network computes, see `Network.sha256`.
        initial_weights_sha256: SHA-256 of its initial weights, float32.
    """

    network_sha256: str
    initial_weights_sha256: str


@dataclass(frozen=True)
class Initial:
    """A model as the user made it, and as it is trained.

    Attributes:
        model: the user's own.
        network: the graph of layers that it was lowered to.
        weights: copies of its initial weights, float32.
    """

    model: nn.Module
    network: Network
    weights: list[Weights]

    @cached_property
    def identity(self) -> Identity:
        """What tells it from other networks."""
        return Identity(self.network.sha256, weights_sha256(self.weights))


_Key = tuple[int, str, DatasetInfo, int, torch.dtype]
_identities: dict[_Key, tuple[object, Identity]] = {}
"""What is known, with the builder of each, so that no other gets its `id`."""


def initial(
    model: str, dataset: DatasetInfo, seed: int, weights_file: str | None = None
) -> Initial:
    """Build and lower a model.

    Args:
        model: name of the model, built-in or ``module:attribute``.
        dataset: description of the data set.
        seed: decides its initial weights.
        weights_file: path of a file that has them instead.

    Raises:
        UsageError: there is no such model, a layer of it is not supported, or it does not fit the
            data set.
    """
    channels, height, width = dataset.image_shape
    built = build(model, channels, dataset.classes, seed)
    if weights_file is not None:
        from specbp.weights import load_into  # here: the arithmetic is not for all who come by

        load_into(built, Path(weights_file))
    try:
        return Initial(built, *lower(built, dataset.image_shape, dataset.classes))
    except MisfitError as error:
        if model in MODELS:
            size = MODELS[model].image_size
            raise UsageError(
                f"{model} takes {size} x {size} images, {dataset.name} are {height} x {width}: "
                "choose another model or data set"
            ) from error
        raise UsageError(
            f'model "{model}" does not fit {dataset.name} ({channels} x {height} x {width} images, '
            f"{dataset.classes} classes): {error}"
        ) from error
    except UsageError as error:
        raise UsageError(f'model "{model}": {error}') from error


def identity(
    model: str, dataset: DatasetInfo, seed: int, weights_file: str | None = None
) -> Identity:
    """Return what tells the network of an experiment from others; built once in a process.

    Args:
        model: name of the model, built-in or ``module:attribute``.
        dataset: description of the data set.
        seed: decides its initial weights.
        weights_file: path of a file that has them instead; it is read each time.

    Raises:
        UsageError: there is no such model, a layer of it is not supported, or it does not fit the
            data set.
    """
    if weights_file is not None:
        return initial(model, dataset, seed, weights_file).identity
    builder = find(model)
    key = (id(builder), model, dataset, seed, torch.get_default_dtype())
    if key not in _identities:
        _identities[key] = builder, initial(model, dataset, seed).identity
    return _identities[key][1]
