"""The report as one self-contained HTML page; nothing is fetched from anywhere.

Its one script, which sorts and filters tables and shows the numbers of marks, is allowed by its
hash alone. The page is whole without it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

import jinja2
import pandas as pd
from markupsafe import Markup

from specbp.frames import Frames
from specbp.report.curves import Breakdown, breakdowns, epoch_curves
from specbp.report.figures import (
    ACCEPT,
    ACCURACY,
    BREAKDOWN,
    OVER_BOUND,
    TRADE,
    Gallery,
    Illustration,
    Kind,
    gallery,
    illustrations,
    overview_illustrations,
)
from specbp.report.headline import cautions, headline
from specbp.report.method import citation_words, method_words
from specbp.report.pairing import Comparison, comparisons
from specbp.report.palette import css_variables, styles
from specbp.report.story import story
from specbp.report.summary import ComparisonSummary, Summary
from specbp.report.tables import (
    Table,
    breakdown_table,
    core_bounds_table,
    core_times_table,
    costs_table,
    cycles_table,
    energy_table,
    epoch_table,
    hash_table,
    left_out_table,
    machine_table,
    over_bound_table,
    repeats_table,
    software_table,
    work_table,
)
from specbp.report.wording import (
    DOI,
    PAPER,
    Heading,
    SummaryEntry,
    full_title,
    headings,
    summary_rows,
    totals,
    work_words,
)

TONES = {
    "faster": "win",
    "higher": "win",
    "slower": "loss",
    "lower": "loss",
    "did not learn": "loss",
    "fell apart": "loss",
    "not told apart": "even",
}
"""The class of a remark, by its first words; the words say the same without colour."""


ROOM_FOR_FIGURES = 170_000
"""Bytes of figures in a page, so that it can be sent by mail and read on a phone."""

DISPENSABLE = (BREAKDOWN, OVER_BOUND, ACCEPT, ACCURACY, TRADE)
"""What a page without room leaves out first; tables have the numbers of all of them."""


@dataclass(frozen=True)
class Section:
    """One comparison as the template wants it."""

    name: str
    title: str
    short_title: str
    work: str
    headline: str
    cautions: list[str]
    synthetic: bool
    headings: list[Heading]
    rows: list[list[SummaryEntry]]
    drawn_from: tuple[ComparisonSummary, pd.DataFrame, tuple[Breakdown, ...]]
    details: list[tuple[str, Table]]


def render(frames: Frames, summary: Summary, title: str) -> str:
    """Return the page as text."""
    arms = [
        (arm.name, arm.sequential) for comparison in summary.comparisons for arm in comparison.arms
    ]
    looks = styles(sorted(arms, key=lambda arm: not arm[1]))
    paired = [comparison for comparison in comparisons(frames.runs) if comparison.arms]
    sections = [
        _section(f"c{number}", frames, comparison, found)
        for number, (comparison, found) in enumerate(
            zip(paired, summary.comparisons, strict=True), start=1
        )
    ]
    drawn = [illustrations(section.name, *section.drawn_from, looks) for section in sections]
    shown, without = _small_enough([overview_illustrations(summary.comparisons, looks), *drawn])
    return template("page.html.j2").render(
        title=title,
        story=story(summary),
        overview=shown.groups[0],
        totals=totals(summary),
        sections=list(zip(sections, shown.groups[1:], strict=True)),
        kinds=_kinds(shown),
        without=without,
        cycles=cycles_table(summary.cycles) if summary.cycles else None,
        energies=energy_table(summary.energies) if summary.energies else None,
        left_out=left_out_table(summary.left_out) if summary.left_out else None,
        method=method_words(summary),
        machines=machine_table(summary.provenance),
        software=software_table(summary.provenance),
        provenance=summary.provenance,
        citation=citation_words(summary, title),
        paper=PAPER,
        doi=DOI,
        rules=shown.rules,
        shapes=shown.shapes,
        marks=shown.marks,
        tones=TONES,
        **page_resources(),
    )


def page_resources() -> dict[str, object]:
    """Return what the templates of all pages need: colours, the script and its hash."""
    script = files("specbp.report").joinpath("page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"variables": css_variables(), "script": Markup(script), "script_sha256": digest}


def _small_enough(groups: list[list[Illustration]]) -> tuple[Gallery, list[Kind]]:
    """Return the figures that a page has room for, and the kinds that it does without."""
    without: list[Kind] = []
    for kind in (*DISPENSABLE, None):
        shown = gallery([[one for one in group if one.kind not in without] for group in groups])
        if kind is None or shown.size <= ROOM_FOR_FIGURES:
            break
        without.append(kind)
    drawn = {one.kind for group in groups for one in group}
    return shown, [kind for kind in without if kind in drawn]


def _kinds(shown: Gallery) -> list[Kind]:
    """Return the kinds of figures of a page, each once."""
    return list(dict.fromkeys(drawn.kind for group in shown.groups for drawn in group))


def _section(
    name: str,
    frames: Frames,
    comparison: Comparison,
    found: ComparisonSummary,
) -> Section:
    curves, parts = epoch_curves(frames, comparison), breakdowns(frames, comparison)
    details = []
    if len(curves) and curves["epoch"].nunique() > 1:
        details.append(("Epochs, means over seeds", epoch_table(curves)))
    over = over_bound_table(found.arms)
    if over.rows:
        details.append(("From the bound to the mean step, ms", over))
    if parts:
        details.append(("Parts of a mean step, ms", breakdown_table(parts)))
    if found.overlay:
        bounds, times = core_bounds_table(found.overlay), core_times_table(found.overlay)
        details.append(("Two cores: from the bound to the step, cycles", bounds))
        if times.rows:
            details.append(("Two cores: where the cycles go, core 0 / core 1", times))
    details.append(("What the arms share", work_table(found)))
    if (costs := costs_table(found)).rows:
        details.append(("Memory, and work between the steps", costs))
    if (repeats := repeats_table(found)).rows:
        details.append(("Every repeat", repeats))
    details.append(("Proof of equal work", hash_table(found)))
    return Section(
        name=name,
        title=full_title(found),
        short_title=found.title,
        work=work_words(found.work),
        headline=headline(found),
        cautions=cautions(found),
        synthetic=found.synthetic,
        headings=headings(found),
        rows=summary_rows(found),
        drawn_from=(found, curves, parts),
        details=details,
    )


def template(name: str) -> jinja2.Template:
    """Return a template with every value escaped; only our own SVG and script are markup."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specbp.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    return environment.get_template(name)
