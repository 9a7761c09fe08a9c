"""The report as one self-contained HTML page: no script, nothing fetched from anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from specbp.frames import Frames
from specbp.report.curves import breakdowns, epoch_curves
from specbp.report.figures import Illustration, illustrations
from specbp.report.headline import cautions, headline
from specbp.report.method import citation_words, method_words
from specbp.report.pairing import Comparison, comparisons
from specbp.report.palette import Style, css_variables, styles
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
    software_table,
    starts_table,
    work_table,
)
from specbp.report.wording import (
    COLUMNS,
    DOI,
    PAPER,
    Cell,
    full_title,
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


@dataclass(frozen=True)
class Section:
    """One comparison as the template wants it."""

    name: str
    title: str
    work: str
    headline: str
    cautions: list[str]
    synthetic: bool
    rows: list[list[Cell]]
    illustrations: list[Illustration]
    details: list[tuple[str, Table]]


def render(frames: Frames, summary: Summary, title: str) -> str:
    """Return the page as text."""
    arms = [
        (arm.name, arm.sequential) for comparison in summary.comparisons for arm in comparison.arms
    ]
    looks = styles(sorted(arms, key=lambda arm: not arm[1]))
    paired = [comparison for comparison in comparisons(frames.runs) if comparison.arms]
    sections = [
        _section(f"c{number}", frames, comparison, found, looks)
        for number, (comparison, found) in enumerate(
            zip(paired, summary.comparisons, strict=True), start=1
        )
    ]
    return _template().render(
        title=title,
        totals=totals(summary),
        sections=sections,
        headings=[heading for heading, _ in COLUMNS],
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
        variables=css_variables(),
        tones=TONES,
    )


def _section(
    name: str,
    frames: Frames,
    comparison: Comparison,
    found: ComparisonSummary,
    looks: dict[str, Style],
) -> Section:
    curves, parts = epoch_curves(frames, comparison), breakdowns(frames, comparison)
    details = [("Every epoch, means over seeds", epoch_table(curves))] if len(curves) else []
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
    if (starts := starts_table(found)).rows:
        details.append(("Every start of the process", starts))
    details.append(("Proof of equal work", hash_table(found)))
    return Section(
        name=name,
        title=full_title(found),
        work=work_words(found.work),
        headline=headline(found),
        cautions=cautions(found),
        synthetic=found.synthetic,
        rows=summary_rows(found),
        illustrations=illustrations(name, found, curves, parts, looks),
        details=details,
    )


def _template() -> jinja2.Template:
    """Return the template with every value escaped; only our own SVG is marked as markup."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specbp.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    return environment.get_template("page.html.j2")
