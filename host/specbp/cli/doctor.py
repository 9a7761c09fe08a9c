"""`specbp doctor`: what this machine can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from specbp.cli.arguments import DataRoot
from specbp.cli.terminal import say, say_json, working
from specbp.cli.terminal import show as show_table

if TYPE_CHECKING:
    from specbp.doctor.finding import Finding


def doctor(
    data_root: DataRoot = None,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what this machine has for specbp, what it lacks, and how to get that.

    What is missing only matters for what needs it; the exit code is 1 where something is wrong.

    Example:
    specbp doctor
    """
    from specbp.doctor.machine import examine

    with working("looking at this machine: data sets are read and checked whole") as next_is:
        found = examine(data_root, lambda what: next_is(f"looking at {what}"))
    show(found, json_output)


def show(findings: Sequence[Finding], json_output: bool) -> None:
    """Print findings; exit with 1 where one is wrong."""
    if json_output:
        say_json([asdict(one) for one in findings])
    else:
        _show(findings)
    if any(one.state == "wrong" for one in findings):
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    """Print a table, and below it each cure on a line of its own, from where it can be copied."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "needed for"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        table.add_row(one.state, one.what, one.found, one.needed_for)
    show_table(table)
    for one in findings:
        if one.cure:
            say()
            say(f"{one.what}, {one.state}:", style="bold")
            for line in one.cure.splitlines():
                say(f"    {line}")
