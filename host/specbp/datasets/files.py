"""Finding the files of a data set, and making sure they are the official ones."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specbp.errors import UsageError

DATA_VARIABLE = "SPECBP_DATA"


@dataclass(frozen=True)
class Source:
    """Where the files of a data set lie, what they are and where to get them.

    Attributes:
        name: the data set.
        folder: folder below the data root, the same as torchvision's, such as ``MNIST/raw``.
        checksums: file name -> md5 of the official file, in hexadecimal.
        fetch: shell command that fetches the files; the word ``ROOT`` stands for the data root.
    """

    name: str
    folder: str
    checksums: Mapping[str, str]
    fetch: str


def resolve_root(given: Path | None) -> Path:
    """Return the folder data sets lie in: `given`, else ``$SPECBP_DATA``, else ``./data``."""
    return Path(given or os.environ.get(DATA_VARIABLE) or "data").expanduser().absolute()


def locate(
    source: Source, root: Path, names: Sequence[str], suffixes: Sequence[str] = ("",)
) -> list[Path]:
    """Return the path of the file of every name.

    Args:
        source: the data set the files belong to.
        root: the data root.
        names: the files wanted.
        suffixes: what may follow a name; the first that makes a file that exists is taken.

    Raises:
        UsageError: files are missing; the message lists them and says how to get them.
    """
    folder = root / source.folder
    found, missing = [], []
    for name in names:
        forms = [folder / f"{name}{suffix}" for suffix in suffixes]
        existing = [path for path in forms if path.exists()]
        found += existing[:1]
        if not existing:
            missing.append(name + "".join(f"[{suffix}]" for suffix in suffixes if suffix))
    if missing:
        fetch = source.fetch.replace("ROOT", shlex.quote(str(root)))
        raise UsageError(
            f"{source.name}: no {', '.join(missing)} in {folder}: fetch with `{fetch}`, "
            f"or set {DATA_VARIABLE} or --data-root to the folder that holds {source.folder}"
        )
    return found


def read_verified(path: Path, md5: str) -> bytes:
    """Return the content of the file at `path`.

    Raises:
        UsageError: the file cannot be read, or its content does not have the checksum `md5`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UsageError(
            f"{path}: corrupt or cut short: expected md5 {md5}, found {found} "
            f"({len(content)} bytes): delete it and fetch it again"
        )
    return content
