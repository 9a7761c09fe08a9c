"""What a comparison is called, and in which order comparisons are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from specbp.experiment import WORK_FIELDS

NETWORK = "network_sha256"
NETWORK_DIGITS = 12

_FIRST = ("dataset", "model", "batch_size", "arithmetic", "momentum", "nesterov", "learning_rate")
READING_ORDER = (
    *_FIRST,
    *(name for name in WORK_FIELDS if name not in (*_FIRST, "seed")),
    NETWORK,
)
"""The fields that tell comparisons apart, what a reader asks for first at the front."""

DATASETS = {
    "digits": "digits",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "cifar100-coarse": "CIFAR-100 in 20 classes",
}


def dataset_words(name: str) -> str:
    """Return a data set as a person writes it: ``CIFAR-100``, ``random 3x32x32 images``.

    A data set of the user's own is called what the user calls it.
    """
    if name.startswith("random:"):
        return f"random {name.removeprefix('random:').partition('/')[0]} images"
    return DATASETS.get(name, name)


def titles(works: Sequence[Mapping[str, Any]], among: Sequence[str] | None = None) -> list[str]:
    """Return a title for each comparison of a result set, such as ``cifar-cnn, batch 8``.

    A single comparison is called by what was trained.

    Args:
        works: the fields that the arms of each comparison share.
        among: the fields to name; those that tell the comparisons apart where None.
    """
    names = distinguishing(works) or ["dataset", "model"] if among is None else among
    return [_title(work, names) for work in works]


def distinguishing(works: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fewest fields, in reading order, that tell the comparisons apart.

    A size of the training set that goes with the batch size is not among them.
    """
    chosen: list[str] = []
    told_apart = 1
    for name in READING_ORDER:
        groups = len({tuple(work[known] for known in (*chosen, name)) for work in works})
        if groups > told_apart:
            chosen.append(name)
            told_apart = groups
    return chosen


def axis_words(name: str) -> str:
    """Return the label of an axis along which the field `name` varies."""
    return {"batch_size": "samples in a batch", "train": "training samples"}.get(
        name, name.replace("_", " ")
    )


def sort_key(work: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a key that sorts comparisons in reading order, numbers by size, ``all`` last."""
    return tuple(_sortable(work[name]) for name in READING_ORDER)


def _sortable(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (1, math.inf, "")
    return (2, 0.0, value) if isinstance(value, str) else (1, float(value), "")


def _title(work: Mapping[str, Any], names: Sequence[str]) -> str:
    words = [_words(name, work[name]) for name in names if name not in ("dataset", "model")]
    subject = " on ".join(
        _words(name, work[name]) for name in ("model", "dataset") if name in names
    )
    if subject:
        return ", ".join([subject, *words])
    title = ", ".join(words)
    return title[:1].upper() + title[1:]


def _words(name: str, value: Any) -> str:
    """Return the field `name` with its `value` in words."""
    number = f"{value:,}" if isinstance(value, int) else f"{value:g}" if _is_real(value) else value
    match name:
        case "dataset":
            return dataset_words(value)
        case "model" | "arithmetic":
            return str(value)
        case "batch_size":
            return f"batch {number}"
        case "momentum":
            return f"momentum {number}" if value else "no momentum"
        case "nesterov":
            return "Nesterov momentum" if value else "classical momentum"
        case "train":
            return f"{'all' if value is None else number} training samples"
        case "test":
            return f"{'all' if value is None else number} test samples"
        case "epochs":
            return f"{number} epoch{'' if value == 1 else 's'}"
        case "learning_rate_decay":
            return f"{value} learning rate"
        case "network_sha256":
            return f"network {str(value)[:NETWORK_DIGITS]}"
    return f"{name.replace('_', ' ')} {'none' if value is None else number}"


def _is_real(value: Any) -> bool:
    return isinstance(value, float)
