"""Writes a report: one HTML page, and the same as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specbp import durable
from specbp.errors import UsageError
from specbp.frames import Frames
from specbp.report import markdown, page
from specbp.report.compare import summarise
from specbp.report.overlay_time import with_overlay_time
from specbp.report.summary import ACCURACY_MARGIN


@dataclass(frozen=True)
class ReportPaths:
    """Where a report was written."""

    html: Path
    markdown: Path


def write_report(
    frames: Frames, folder: Path, title: str, accuracy_margin: float = ACCURACY_MARGIN
) -> ReportPaths:
    """Write ``report.html`` and ``report.md`` into `folder`, which is made if it is not there.

    The same frames, title and margin give the same bytes.

    Args:
        frames: the result set.
        folder: folder that gets the report.
        title: title of the page.
        accuracy_margin: accuracy margin of the test of non-inferiority, percentage points.

    Raises:
        NothingMeasuredError: no cell was measured.
        UsageError: the arms did not do equal work, or the folder cannot be written.
    """
    frames = with_overlay_time(frames)
    summary = summarise(frames, accuracy_margin)
    paths = ReportPaths(folder / "report.html", folder / "report.md")
    texts = {
        paths.html: page.render(frames, summary, title),
        paths.markdown: markdown.render(summary, title),
    }
    try:
        durable.make_folder(folder)
        for path, text in texts.items():
            durable.write(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write the report to {folder}: {error.strerror}") from error
    return paths
