"""The report's summary as Markdown with GitHub tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from specbp.report.headline import cautions, headline
from specbp.report.method import citation_words, method_words
from specbp.report.story import story
from specbp.report.summary import ComparisonSummary, Summary
from specbp.report.tables import (
    Table,
    core_bounds_table,
    core_times_table,
    costs_table,
    cycles_table,
    energy_table,
    hash_table,
    left_out_table,
    machine_table,
    over_bound_table,
    repeats_table,
    software_table,
)
from specbp.report.wording import (
    DOI,
    PAPER,
    SummaryEntry,
    full_title,
    headings,
    summary_rows,
    totals,
    work_words,
)


def render(summary: Summary, title: str) -> str:
    """Return the report as Markdown."""
    blocks = [f"# {escaped(title)}", f"**{escaped(story(summary))}**", escaped(totals(summary))]
    blocks += [f"> **Note.** {escaped(warning)}" for warning in summary.provenance.warnings]
    for comparison in summary.comparisons:
        blocks += comparison_blocks(comparison)
    if summary.cycles:
        blocks += ["## Clock cycles of a step", table(cycles_table(summary.cycles))]
    if summary.energies:
        blocks += ["## Energy of a step", table(energy_table(summary.energies))]
    if summary.left_out:
        blocks += ["## Not measured", table(left_out_table(summary.left_out))]
    blocks.append("## How it was measured")
    blocks += [f"**{escaped(head)}.** {escaped(text)}" for head, text in method_words(summary)]
    blocks += ["## Machine and versions"]
    blocks += [table(machine_table(summary.provenance)), table(software_table(summary.provenance))]
    blocks += [
        "## How to cite",
        f"The method: {escaped(PAPER)}, DOI [{DOI}](https://doi.org/{DOI}).",
    ]
    blocks += [f"These numbers: {escaped(citation_words(summary, title))}."]
    return "\n\n".join(blocks) + "\n"


def comparison_blocks(comparison: ComparisonSummary) -> list[str]:
    """Return heading, headline, summary tables and hashes of one comparison."""
    over, repeats = over_bound_table(comparison.arms), repeats_table(comparison)
    costs = costs_table(comparison)
    names = [
        f"{head.name} ({head.unit})" if head.unit else head.name for head in headings(comparison)
    ]
    rows = [[_words(cell) for cell in row] for row in summary_rows(comparison)]
    return [
        f"## {escaped(full_title(comparison))}",
        escaped(work_words(comparison.work)),
        escaped(headline(comparison)),
        *(f"> **Caution.** {escaped(caution)}" for caution in cautions(comparison)),
        _lines(names, rows),
        *(["From the bound to the mean step, ms:", table(over)] if over.rows else []),
        *_two_cores(comparison),
        *(["Memory, and work between the steps:", table(costs)] if costs.rows else []),
        *(["Every repeat:", table(repeats)] if repeats.rows else []),
        "Equal work:",
        table(hash_table(comparison)),
    ]


def _two_cores(comparison: ComparisonSummary) -> list[str]:
    """Return the tables of steps on two cores of an overlay, nothing where there are none."""
    if not comparison.overlay:
        return []
    times = core_times_table(comparison.overlay)
    return [
        "Two cores, from the bound to the step, cycles:",
        table(core_bounds_table(comparison.overlay)),
        *(["Two cores, where the cycles go, core 0 / core 1:", table(times)] if times.rows else []),
    ]


def table(content: Table) -> str:
    """Return `content` as a GitHub table."""
    return _lines(content.headings, content.rows)


def escaped(text: str) -> str:
    """Return `text` so that Markdown and HTML in it are shown, not obeyed, on a single line."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", flat)


def _lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    first = [line(escaped(heading) for heading in headings), line("---" for _ in headings)]
    return "\n".join([*first, *(line(escaped(value) for value in row) for row in rows)])


def _words(cell: SummaryEntry) -> str:
    number = " ".join(part for part in (cell.value, cell.interval) if part)
    remark = ", ".join(part for part in (cell.also, cell.remark) if part)
    return f"{number} ({remark})" if remark else number
