"""Frames to look at: of results folders, of published reports, or of several of them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from specbp.errors import UsageError
from specbp.frames import Frames
from specbp.matrix.store import load
from specbp.report import published


def read_frames(folders: Sequence[Path]) -> Frames:
    """Return the frames of folders, each a results folder or that of a published report.

    Frames of several folders are put together: accuracies, cycles and hashes are compared over all
    of them, times only within a session on one machine, which the frames say. Where one of them is
    published, steps are summed up to rounds in all.

    Args:
        folders: at least one.

    Raises:
        UsageError: a folder is neither, a file is damaged, or two folders have a cell of the same
            description with different content.
    """
    if len(folders) == 1 and not published.is_published(folders[0]):
        return load(folders[0])
    is_summed = any(map(published.is_published, folders))
    parts = [_one(folder, is_summed) for folder in folders]
    return parts[0] if len(parts) == 1 else _together(folders, parts)


def _one(folder: Path, is_summed: bool) -> Frames:
    if published.is_published(folder):
        return published.read(folder).frames
    frames = load(folder)
    return published.summed_up(frames) if is_summed else frames


def _together(folders: Sequence[Path], parts: Sequence[Frames]) -> Frames:
    owners: dict[str, tuple[Path, Frames]] = {}
    kept: list[Frames] = []
    for folder, part in zip(folders, parts, strict=True):
        cells = set(part.runs["cell"])
        for cell in sorted(cells & owners.keys()):
            other, theirs = owners[cell]
            if not _row(part, cell).equals(_row(theirs, cell)):
                raise UsageError(
                    f"cell {cell} was trained twice, with different content: in {other} and "
                    f"{folder}: leave one of them out"
                )
        new = cells - owners.keys()
        kept.append(
            Frames(*(one[one["cell"].isin(new)] for one in (part.runs, part.epochs, part.steps)))
        )
        owners |= dict.fromkeys(new, (folder, part))
    return Frames(
        *(
            pd.concat([getattr(one, name) for one in kept], ignore_index=True)
            for name in ("runs", "epochs", "steps")
        )
    )


def _row(frames: Frames, cell: str) -> pd.Series:
    """Return what the frame `runs` says of a cell, without what is missing."""
    row: pd.Series = frames.runs[frames.runs["cell"] == cell].iloc[0]
    return row.dropna().sort_index()
