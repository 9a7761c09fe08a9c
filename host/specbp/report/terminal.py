"""The report's summary for a terminal of 80 columns, or for a file when there is none."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specbp.report.headline import cautions, headline
from specbp.report.story import story
from specbp.report.summary import ComparisonSummary, Summary
from specbp.report.wording import (
    WITHHELD,
    SummaryEntry,
    full_title,
    headings,
    summary_rows,
    totals,
    work_words,
)

STYLES = {
    WITHHELD: "yellow",
    "faster": "cyan",
    "higher": "cyan",
    "slower": "yellow",
    "lower": "yellow",
}
STYLES |= {"did not learn": "yellow", "fell apart": "yellow"}

TIME, ACCURACY = (0, 1, 2, 3, 4), (0, 5, 6, 7, 8)
"""The columns of the two tables: all of `wording.COLUMNS` in one do not fit in 80 columns."""


def summary_tables(comparison: ComparisonSummary) -> list[Table]:
    """Return the summary of `comparison`: a table of times and one of accuracies."""
    return [_table(comparison, numbers) for numbers in (TIME, ACCURACY)]


def print_summary(summary: Summary, console: Console) -> None:
    """Print what was found in one paragraph, headline and table of every comparison, the rest."""
    console.print(Text(story(summary)))
    console.print()
    console.print(Text(totals(summary), "dim"))
    for warning in summary.provenance.warnings:
        console.print(Text(f"note: {warning}", "yellow"))
    for comparison in summary.comparisons:
        console.print()
        console.print(Text(full_title(comparison), "bold"))
        console.print(Text(work_words(comparison.work), "dim"))
        console.print(Text(headline(comparison)))
        for caution in cautions(comparison):
            console.print(Text(f"caution: {caution}", "yellow"))
        for table in summary_tables(comparison):
            console.print()
            console.print(table)
    if summary.cycles:
        console.print()
        console.print(Text("Clock cycles of a step", "bold"))
    for row in summary.cycles:
        counts = {"model": row.predicted, "RTL": row.simulated, "board's counter": row.measured}
        words = ", ".join(f"{count:,.0f} ({by})" for by, count in counts.items() if count)
        console.print(Text(f"{row.comparison}, {row.method}: {words}"))
    for item in summary.left_out:
        words = f"{item.status}: {item.arm}, seed {item.seed}, {item.comparison}: {item.reason}"
        console.print(Text(words, "yellow"))


def _table(comparison: ComparisonSummary, numbers: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    rows = [[_lines(row[number]) for number in numbers] for row in summary_rows(comparison)]
    for place, number in enumerate(numbers):
        heading = headings(comparison)[number]
        text = Text(heading.name, "bold").append(f"\n{heading.unit}", "not bold dim")
        lines = [line for row in rows for line in row[place].plain.splitlines()]
        width = max(len(words) for words in (*lines, *text.plain.split()))
        table.add_column(text, width=width if number else None)
    for row in rows:
        table.add_row(*row)
    return table


def _lines(cell: SummaryEntry) -> Text:
    """Stack value, interval and remark; text, never markup, as names come from outside."""
    text = Text(cell.value, "bold" if cell.interval else "")
    if cell.interval:
        text.append(f"\n{cell.interval}", "not bold")
    if cell.also:
        text.append(f"\n{cell.also}", "not bold")
    if cell.remark:
        style = STYLES.get(cell.remark.split(",")[0], "dim")
        text.append(f"\n{cell.remark}", f"not bold {style}")
    return text
