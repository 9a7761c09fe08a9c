"""One page over several published reports: what each found, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specbp import durable
from specbp.errors import UsageError
from specbp.report import published
from specbp.report.compare import summarise
from specbp.report.page import page_resources, template
from specbp.report.story import story
from specbp.report.wording import totals


@dataclass(frozen=True)
class IndexEntry:
    """One report.

    Attributes:
        link: path from the index to the page.
        title: title of the report.
        story: what it found.
        totals: how much was measured.
        machines: processors and GPUs that it was measured on.
        measured: days of the first and the last run; empty where they were not recorded.
    """

    link: str
    title: str
    story: str
    totals: str
    machines: str
    measured: str


def write_index(folder: Path, title: str) -> Path:
    """Write ``index.html`` over the published reports below `folder`.

    Raises:
        UsageError: there are none, or the page cannot be written.
    """
    found = sorted(path.parent for path in folder.rglob("report.html"))
    entries = [_entry(folder, place) for place in found if published.is_published(place)]
    if not entries:
        raise UsageError(f"{folder}: no report with its frames lies below it")
    path = folder / "index.html"
    page = template("index.html.j2").render(title=title, entries=entries, **page_resources())
    try:
        durable.write(path, page.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return path


def _entry(folder: Path, place: Path) -> IndexEntry:
    source = published.read(place)
    summary = summarise(source.frames)
    days = [] if summary.provenance.started is None else summary.provenance.started
    return IndexEntry(
        link=(place / "report.html").relative_to(folder).as_posix(),
        title=source.title,
        story=story(summary),
        totals=totals(summary),
        machines="; ".join(dict.fromkeys(machine.cpu for machine in summary.provenance.machines)),
        measured=" to ".join(dict.fromkeys(day[:10] for day in days)),
    )
