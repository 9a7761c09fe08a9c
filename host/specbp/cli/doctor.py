"""`specbp doctor`: what this machine can run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specbp.cli.arguments import DataRoot

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

    show(examine(data_root), json_output)


def show(findings: Sequence[Finding], json_output: bool) -> None:
    """Print findings; exit with 1 where one is wrong."""
    if json_output:
        sys.stdout.write(json.dumps([asdict(one) for one in findings], indent=2) + "\n")
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("", "what", "found", "needed for", "what to do"):
            table.add_column(heading, overflow="fold")
        for one in findings:
            # What a board says of itself is text, and so is [fpga] in a cure: no markup.
            table.add_row(*map(Text, (one.state, one.what, one.found, one.needed_for, one.cure)))
        Console().print(table)
    if any(one.state == "wrong" for one in findings):
        raise typer.Exit(1)
