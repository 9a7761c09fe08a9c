"""Which data sets there are and what shape they have; only a user's own is read for that."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from specbp.errors import UsageError, nearest


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set before it is loaded.

    Attributes:
        name: the name used in experiments, such as ``cifar100``.
        image_shape: (channels, height, width).
        classes: how many labels there are.
        synthetic: made of random numbers, good for timing only; never in an accuracy table.
    """

    name: str
    image_shape: tuple[int, int, int]
    classes: int
    synthetic: bool = False


CATALOG: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo("digits", (1, 8, 8), 10),
        DatasetInfo("mnist", (1, 28, 28), 10),
        DatasetInfo("fashion-mnist", (1, 28, 28), 10),
        DatasetInfo("cifar10", (3, 32, 32), 10),
        DatasetInfo("cifar100", (3, 32, 32), 100),
        DatasetInfo("cifar100-coarse", (3, 32, 32), 20),
    )
}

_RANDOM = re.compile(r"random:(\d+)x(\d+)x(\d+)/(\d+)")
RANDOM_FORM = "random:CHANNELSxHEIGHTxWIDTH/CLASSES"
FOLDER = "imagefolder:"
"""How the name of a folder of image files begins."""
_OWN = re.compile(r"imagefolder:.+|(?!random:)[^:]+:[^:]+")


def is_own(name: str) -> bool:
    """Whether `name` is of a data set that a user brings: of Python objects, or of image files."""
    return name not in CATALOG and _OWN.fullmatch(name) is not None


def require_known(name: str) -> None:
    """Refuse the name of a data set that there cannot be; a user's own is not read for that.

    Raises:
        UsageError: there is no such data set.
    """
    if not is_own(name):
        describe(name)


def forget_own() -> None:
    """Read what users bring anew when it is asked for next: it may have changed."""
    own = sys.modules.get(f"{__package__}.own")
    if own is not None:
        own.own_data.cache_clear()


def describe(name: str) -> DatasetInfo:
    """Return the shape and class count of the data set called `name`.

    ``random:3x32x32/100`` names synthetic data of that shape and class count. A user's own data set
    is read, once in a command.

    Raises:
        UsageError: there is no such data set, or it cannot be read.
    """
    if name in CATALOG:
        return CATALOG[name]
    match = _RANDOM.fullmatch(name)
    if match:
        channels, height, width, classes = (int(group) for group in match.groups())
        if min(channels, height, width) >= 1 and classes >= 2:
            return DatasetInfo(name, (channels, height, width), classes, synthetic=True)
    if is_own(name):
        from .own import own_data  # here, because it imports PyTorch

        return own_data(name).info
    raise UsageError(
        f'unknown data set "{name}"{nearest(name, CATALOG)}: '
        f"choose one of {', '.join(CATALOG)}, {FOLDER}PATH, module:attribute, or {RANDOM_FORM}"
    )
