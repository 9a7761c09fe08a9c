"""Data sets as folders of image files, one folder for each class: ``imagefolder:PATH``.

    PATH/train/CLASS/any.png    what is trained on
    PATH/test/CLASS/any.png     what is tested on; the folder may be called val

or PATH/CLASS/any.png, where ``held_out`` says how many samples are tested on. Classes are numbered
in the order of their names. Colours stay; where all images are grey, they have one channel.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from specbp.compiling import cached
from specbp.errors import UsageError

from .catalog import FOLDER
from .samples import Samples

FORM = 1
"""Version of the decoded form in the cache."""
GREY = ("L", "1")
"""Pillow's modes of images without colour."""
TOO_DEEP = ("I", "F")
"""How Pillow's modes begin whose pixels do not fit into 8 bits."""

Levels = npt.NDArray[np.uint8]


def read_folder(name: str) -> tuple[dict[str, Samples], list[str] | None]:
    """Read the image files of the folder that ``imagefolder:PATH`` names.

    What was decoded is kept in the user's cache folder, by the content of all files.

    Returns:
        The samples by part, and the names of the classes.

    Raises:
        UsageError: there is no such folder, a file cannot be read, a class has no file, or images
            are of mixed sizes; the message names the file.
    """
    root = Path(name.removeprefix(FOLDER)).expanduser()
    if not root.is_dir():
        raise UsageError(f"{name}: there is no folder {root}")
    parts = _part_folders(root)
    names = [path.name for path in _folders(parts["train"])]
    if not names:
        raise UsageError(f"{name}: {parts['train']} has no folder for any class")
    files = {part: _files(folder, names) for part, folder in parts.items()}

    def decode(folder: Path) -> Path:
        made = folder / "images.npy"
        np.save(made, _decoded([path for found in files.values() for path, _ in found]))
        return made

    images = torch.from_numpy(np.load(cached(f"images-{_content_sha256(files)}.npy", decode)))
    counts = [len(found) for found in files.values()]
    samples = {
        part: Samples(own, torch.tensor([label for _, label in files[part]]))
        for part, own in zip(files, images.split(counts), strict=True)
    }
    return samples, names


def _part_folders(root: Path) -> dict[str, Path]:
    if not (root / "train").is_dir():
        return {"train": root}
    found = [root / name for name in ("test", "val") if (root / name).is_dir()]
    return {"train": root / "train"} | ({"test": found[0]} if found else {})


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder}: it cannot be read: {error.strerror}") from error


def _files(folder: Path, names: list[str]) -> list[tuple[Path, int]]:
    """Return the files of a part and their labels, by class and name."""
    classes = {path.name for path in _folders(folder)}
    if classes != set(names):
        (odd, *_) = sorted(classes ^ set(names))
        raise UsageError(
            f'{folder}: class "{odd}" is in one part of the data set and not in the other: give '
            "both the same folders"
        )
    files = []
    for label, name in enumerate(names):
        found = [path for path in _entries(folder / name) if path.is_file()]
        if not found:
            raise UsageError(
                f"{folder / name}: a class without samples: give it some, or delete it"
            )
        files += [(path, label) for path in found]
    return files


def _content_sha256(files: dict[str, list[tuple[Path, int]]]) -> str:
    digest = hashlib.sha256(f"form {FORM}\n".encode())
    for part, found in files.items():
        for path, label in found:
            content = hashlib.sha256(_read(path)).hexdigest()
            digest.update(f"{part} {label} {content}\n".encode())
    return digest.hexdigest()[:32]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from error


def _decoded(paths: list[Path]) -> Levels:
    """Return all images, uint8 [N, 1, H, W] where all are grey, else [N, 3, H, W]."""
    images = [_decode(path) for path in paths]
    size = images[0].shape[1:]
    for path, image in zip(paths, images, strict=True):
        if image.shape[1:] != size:
            raise UsageError(
                f"images of mixed sizes: {paths[0]} is {size[1]} x {size[0]}, {path} is "
                f"{image.shape[2]} x {image.shape[1]}: give all one size"
            )
    channels = max(len(image) for image in images)
    return np.stack([np.repeat(image, channels // len(image), axis=0) for image in images])


def _decode(path: Path) -> Levels:
    """Return the pixels of a file, [channels, height, width]."""
    image_module = _pillow()
    try:
        with image_module.open(io.BytesIO(_read(path))) as image:
            if image.mode.startswith(TOO_DEEP):
                raise UsageError(f"{path}: its pixels have more than 8 bits (mode {image.mode})")
            levels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{path}: it cannot be read as an image: {error}") from error
    return levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise UsageError(f'{FOLDER} needs Pillow: pip install "specbp[data]"') from None
    return Image
