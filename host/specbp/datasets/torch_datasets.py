"""Data sets as Python objects: torch Datasets, or tensors, named as ``module:attribute``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from specbp.errors import UsageError
from specbp.user_code import attribute, errors_named, torch_untouched

from .samples import Samples

READ_TWICE = 8
"""Samples that are read twice: transforms that draw random numbers would differ."""
_FORM = "give a pair (train, test) of torch Datasets, or of pairs (images, labels) of tensors"


def read_objects(name: str) -> tuple[dict[str, Samples], list[str] | None]:
    """Read the data set that ``module:attribute`` names: the object itself, or what makes it.

    Args:
        name: module and attribute; the attribute, or what it returns when it is called without
            arguments, is one part or a pair (train, test). A part is a torch Dataset of pairs
            (image, label), or a pair of tensors (images, labels).

    Returns:
        The samples by part, and the names of the classes where the data set has them.

    Raises:
        UsageError: it is of another form, or an image or label cannot be used.
    """
    named = attribute("data set", name)
    # A Dataset is no factory, and a class of Datasets is one.
    if callable(named) and not _is_dataset(named):
        with errors_named("data set", name, "making it"), torch_untouched(seed=0):
            named = named()
    found = {part: one for part, one in _parts(name, named).items() if one is not None}
    samples = {part: _read(name, part, one) for part, one in found.items()}
    classes = getattr(found["train"], "classes", None)
    names = list(map(str, classes)) if isinstance(classes, Sequence) else None
    return samples, names


def _is_dataset(value: object) -> bool:
    return not isinstance(value, type) and hasattr(value, "__getitem__")


def _parts(name: str, made: object) -> dict[str, Any]:
    """Return the parts to train on and to test on; one alone is trained on."""
    if isinstance(made, Mapping):
        if "train" not in made or set(made) - {"train", "test"}:
            raise UsageError(f'data set "{name}" gives {", ".join(map(str, made))}: {_FORM}')
        return dict(made)
    if isinstance(made, tuple) and len(made) == 2 and not _is_array(made[0]):
        return {"train": made[0], "test": made[1]}
    return {"train": made}


def _is_array(value: object) -> bool:
    return isinstance(value, Tensor | np.ndarray)


def _read(name: str, part: str, data: Any) -> Samples:
    if isinstance(data, tuple) and len(data) == 2 and all(map(_is_array, data)):
        images, labels = (torch.as_tensor(one) for one in data)
        if images.dim() == 3:
            images = images.unsqueeze(1)
        if images.dim() != 4 or labels.dim() != 1 or len(images) != len(labels) or not len(labels):
            raise UsageError(
                f'data set "{name}": {part}: images {list(images.shape)} and labels '
                f"{list(labels.shape)}: give [N, channels, height, width] and [N]"
            )
        where = f"{part} images"
        return Samples(_levels(name, where, images), _whole(name, f"{part} labels", labels))
    if not (_is_dataset(data) and hasattr(data, "__len__")):
        raise UsageError(f'data set "{name}": {part} is a {type(data).__name__}: {_FORM}')
    return _read_items(name, part, data)


def _read_items(name: str, part: str, data: Any) -> Samples:
    if not len(data):
        raise UsageError(f'data set "{name}": {part} has no samples')
    images: list[Tensor] = []
    labels: list[Tensor] = []
    for number in range(len(data)):
        image, label = _item(name, part, data, number, seed=0)
        if images and image.shape != images[0].shape:
            raise UsageError(
                f'data set "{name}": images of mixed sizes: {part}[0] is {list(images[0].shape)}, '
                f"{part}[{number}] is {list(image.shape)}: give all one size"
            )
        again = image if number >= READ_TWICE else _item(name, part, data, number, seed=1)[0]
        if not torch.equal(image, again):
            raise UsageError(
                f'data set "{name}": {part}[{number}] is another image each time it is read: '
                "leave random transforms out, and augment with --augment"
            )
        images.append(image)
        labels.append(label)
    return Samples(torch.stack(images), torch.stack(labels))


def _item(name: str, part: str, data: Any, number: int, seed: int) -> tuple[Tensor, Tensor]:
    where = f"{part}[{number}]"
    with errors_named("data set", name, f"reading {where}"), torch_untouched(seed):
        image, label = data[number][:2]
        label = torch.as_tensor(label)
        if not isinstance(image, Tensor):
            # As torchvision has it: arrays and Pillow's images are [height, width, channels].
            array = torch.from_numpy(np.array(image))
            image = array.unsqueeze(0) if array.dim() == 2 else array.movedim(-1, 0)
        elif image.dim() == 2:
            image = image.unsqueeze(0)
    if image.dim() != 3 or label.numel() != 1:
        raise UsageError(
            f'data set "{name}": {where} is an image {list(image.shape)} and a label '
            f"{list(label.shape)}: give [channels, height, width] and one number"
        )
    return _levels(name, where, image), _whole(name, f"the label of {where}", label.reshape(()))


def _levels(name: str, where: str, images: Tensor) -> Tensor:
    """Return images as uint8; fractions from 0 to 1 are rounded to 256 levels."""
    if images.dtype == torch.uint8:
        return images.clone().contiguous()
    low, high = float(images.min()), float(images.max())
    if images.is_floating_point() and low >= 0 and high <= 1:
        return (images.double() * 255).round().to(torch.uint8).contiguous()
    raise UsageError(
        f'data set "{name}": {where}: {str(images.dtype).removeprefix("torch.")} from {low:g} to '
        f"{high:g}: give uint8, or fractions from 0 to 1, not normalised: specbp does that"
    )


def _whole(name: str, where: str, labels: Tensor) -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        kind = str(labels.dtype).removeprefix("torch.")
        raise UsageError(f'data set "{name}": {where}: {kind}: labels are whole numbers from 0')
    return labels.to(torch.int64).clone()
