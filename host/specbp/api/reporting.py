"""Reports and comparisons of what is in a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specbp.frames import Frames
from specbp.matrix.store import load
from specbp.report import published
from specbp.report.compare import summarise
from specbp.report.summary import Summary
from specbp.report.writing import ReportPaths, write_report

if TYPE_CHECKING:
    from specbp.api.results import Results


@dataclass(frozen=True, eq=False)
class Report:
    """A report that was written.

    Attributes:
        paths: the pages, HTML and Markdown.
        frames_paths: the frames beside them, where they were asked for.
        summary: what the report says.
    """

    paths: ReportPaths
    frames_paths: tuple[Path, ...]
    summary: Summary


def frames_of(results: str | Path | Results) -> Frames:
    """Return the frames of a results folder, or of what was trained.

    Raises:
        UsageError: there is no such folder.
    """
    return load(results) if isinstance(results, str | Path) else results.frames


def write(
    results: str | Path | Results,
    output: Path | None,
    title: str | None,
    accuracy_margin: float,
    with_frames: bool,
) -> Report:
    """Write a report; see `specbp.api.report`.

    Raises:
        UsageError: there is no such folder.
    """
    path = Path(results) if isinstance(results, str | Path) else results.path
    if published.is_published(path):
        source = published.read(path)
        frames, title, output = source.frames, title or source.title, output or path
    else:
        frames = frames_of(results)
    folder, title = output or path / "report", title or path.resolve().name
    paths = write_report(frames, folder, title, accuracy_margin)
    written = published.write(frames, folder, title) if with_frames else ()
    return Report(paths, written, summarise(frames, accuracy_margin))
