"""The one place through which the command line prints.

Names come from outside, so nothing is markup. What goes to a file or a pipe is neither folded nor
cut; a table that does not fit on a terminal becomes a list.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

UNLIMITED = 100_000
"""Columns of a file or a pipe."""
LEAST_WIDTH = 80
"""Columns that are used even on a narrower terminal, which then folds the lines itself."""


def console(stderr: bool = False) -> Console:
    """Return the console of standard output or error."""
    stream = sys.stderr if stderr else sys.stdout
    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    made.width = max(made.width, LEAST_WIDTH) if stream.isatty() else UNLIMITED
    return made


def say(line: str = "", style: str = "") -> None:
    """Print a result on standard output."""
    console().print(Text(line, style), soft_wrap=True)


def note(line: str, style: str = "") -> None:
    """Print on standard error how the work goes on, so that results can be piped."""
    console(stderr=True).print(Text(line, style), soft_wrap=True)


def note_at_once(line: str) -> None:
    """Print on standard error from a signal handler, which may have interrupted a print."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())


@contextmanager
def working(on: str) -> Iterator[Callable[[str], None]]:
    """Say on standard error what takes a while: a line that moves on a terminal, else plain lines.

    Args:
        on: what is done.

    Returns:
        A context; what it gives is called with what is done next.
    """
    out = console(stderr=True)
    if not out.is_terminal:
        note(on)
        yield note
        return
    with out.status(Text(on)) as status:
        yield lambda line: status.update(Text(line))


def say_json(value: Any) -> None:
    """Print a result as JSON."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def show(table: Table, out: Console | None = None) -> None:
    """Print a table, as a list of its rows where the terminal is too narrow for its columns.

    Args:
        table: what to print.
        out: where to print it; standard output if None.
    """
    out = out or console()
    unlimited = out.options.update(width=UNLIMITED)
    if Measurement.get(out, unlimited, table).minimum <= out.width:
        out.print(table)
        return
    headings = [str(column.header) for column in table.columns]
    width = max(map(len, headings))
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for number, row in enumerate(rows):
        if number:
            out.print()
        for heading, cell in zip(headings, row, strict=True):
            if str(cell):
                out.print(f"{heading:<{width}}  {cell}", soft_wrap=True)
