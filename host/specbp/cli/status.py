"""`specbp status`: how far a matrix is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.arguments import JsonOutput
from specbp.cli.terminal import say, say_json, show


def status(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    json_output: JsonOutput = False,
) -> None:
    """Print how far the matrices of a results folder are, also while they are trained.

    Nothing is written, from whichever terminal or machine it is asked. Example:

    specbp status results/demo
    """
    from rich.table import Table

    from specbp.matrix.forecast import duration, in_words
    from specbp.matrix.status import STATES, status_of
    from specbp.matrix.store import Store

    found = status_of(Store.open(results))
    if json_output:
        say_json(asdict(found))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("matrix", "work", "cells", "last checkpoint"):
        table.add_column(heading, overflow="fold")
    for one in found.comparisons:
        counts = ", ".join(f"{count} {state}" for state, count in one.counts.items())
        age = "" if one.checkpoint_s is None else f"{duration(one.checkpoint_s)} ago"
        table.add_row(one.matrix, one.work, counts, age)
    show(table)
    for one in found.comparisons:
        for reason in one.failures:
            say(f"failed: {one.work}: {reason}")
    total = {state: sum(one.counts.get(state, 0) for one in found.comparisons) for state in STATES}
    say(
        f"{results}: "
        + (", ".join(f"{count} {state}" for state, count in total.items() if count) or "no cells")
        + ("; a process trains into it now" if found.is_written else "")
    )
    if found.expected_s is not None:
        say(f"time left: {in_words(found.expected_s, found.unknown)}")
