"""The command line: one file per verb."""

from __future__ import annotations

import sys

import typer

from specbp.errors import SpecbpError

from .bench import bench
from .board import board
from .compare import compare
from .doctor import doctor
from .lockstep import lockstep
from .overlay import overlay
from .report import report
from .run import run
from .timeline import timeline

__all__ = ["main"]

app = typer.Typer(
    help="Benchmark speculative backpropagation against ordinary training.\n\n"
    "Exit codes: 0 fine, 1 the run failed, 2 usage, 3 a gate fell, 4 nothing was measured, "
    "130 stopped by Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (run, bench, report, compare, timeline, lockstep, doctor):
    app.command()(verb)


app.add_typer(overlay, name="overlay")
app.add_typer(board, name="board")


def main() -> None:
    """Run the command line; a foreseen failure is one line on standard error."""
    try:
        app()
    except SpecbpError as error:
        print(f"specbp: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
