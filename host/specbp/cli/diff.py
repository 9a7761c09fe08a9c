"""`specbp diff`: whether two sets of results say the same of the same cells."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.arguments import JsonOutput
from specbp.cli.terminal import say, say_json
from specbp.counting import count
from specbp.errors import GateFellError, NothingMeasuredError

MOST_SHOWN = 40


def diff(
    old: Annotated[Path, typer.Argument(help="results, or a published report", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="the same of now", metavar="NEW")],
    json_output: JsonOutput = False,
) -> None:
    """Name every cell whose weights, accuracies, decisions or cycles are not what they were.

    What must repeat is held against each other: all columns but times and those of the machine.
    Exit code 3 where any differs, 4 where the two have no cell in common. Example:

    specbp diff reports/demo results/demo
    """
    from specbp.report.changes import changes
    from specbp.report.sources import read_frames

    found = changes(read_frames([old]), read_frames([new]))
    if json_output:
        say_json(asdict(found))
    else:
        for one in found.changes[:MOST_SHOWN]:
            where = f" ({one.where}, the first of {one.rows})" if one.where else ""
            say(f"{one.work}: {one.arm}: {one.column}{where}: {one.old} -> {one.new}")
        if len(found.changes) > MOST_SHOWN:
            say(f"and {len(found.changes) - MOST_SHOWN} more: --json has all")
        for cells, folder in ((found.only_old, old), (found.only_new, new)):
            if cells:
                say(f"only in {folder}: {count(len(cells), 'cell')}")
    if not found.compared:
        raise NothingMeasuredError(f"{old} and {new} have no cell in common: nothing was compared")
    changed = {one.cell for one in found.changes}
    if changed:
        raise GateFellError(
            f"{len(changed)} of {found.compared} cells are not what they were, in "
            f"{', '.join(sorted({one.column for one in found.changes}))[:200]}"
        )
    if not json_output:
        say(f"{found.compared} cells are what they were, in every column that must repeat")
