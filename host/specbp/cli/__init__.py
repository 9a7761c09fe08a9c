"""The command line: one file per verb."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from specbp.errors import SpecbpError, StoppedError
from specbp.provenance import installed_version

from .bench import bench
from .board import board
from .compare import compare
from .diff import diff
from .doctor import doctor
from .export import export
from .failures import failure_of
from .lockstep import lockstep
from .merge import merge
from .overlay import overlay
from .plan import plan
from .report import report
from .run import run
from .status import status
from .streams import StandardOutput, prepare
from .terminal import note, say
from .timeline import timeline

__all__ = ["main"]

app = typer.Typer(
    help="Benchmark speculative backpropagation against ordinary training.\n\n"
    "Train the demo matrix on bundled digits, and compare:\n\n"
    "specbp bench bench/matrices/demo.toml\n\n"
    "specbp report results/demo\n\n"
    "Exit codes: 0 fine, 1 the run failed, 2 usage, 3 a gate fell, 4 nothing was measured, "
    "130 stopped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
MEASURE, EXPLAIN, HARDWARE = "Train and compare", "Look into", "FPGA"
for verb, panel in (
    (run, MEASURE),
    (bench, MEASURE),
    (report, MEASURE),
    (compare, MEASURE),
    (status, MEASURE),
    (merge, MEASURE),
    (diff, MEASURE),
    (export, MEASURE),
    (plan, EXPLAIN),
    (timeline, EXPLAIN),
    (lockstep, EXPLAIN),
    (doctor, EXPLAIN),
):
    app.command(rich_help_panel=panel)(verb)


app.add_typer(overlay, name="overlay", rich_help_panel=HARDWARE)
app.add_typer(board, name="board", rich_help_panel=HARDWARE)


def _print_version(wanted: bool) -> None:
    if wanted:
        torch = installed_version("torch") or "not installed"
        say(f"specbp {installed_version('specbp')} (torch {torch})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before a verb."""


_INTERRUPTED = StoppedError.exit_code
"""What Typer returns after a KeyboardInterrupt."""
_ENDING = ("SIGTERM", "SIGHUP")


def main() -> None:
    """Run the command line; whatever ends it is one line on standard error and an exit code."""
    _heed_termination()
    output = StandardOutput()
    failure = None
    try:
        output = prepare()
        # None where the verb came to its end.
        code = app(standalone_mode=False, prog_name="specbp") or 0
        if code == _INTERRUPTED:
            failure = failure_of(KeyboardInterrupt())
    except SystemExit as end:  # what completes the words of a shell
        code = int(end.code or 0)
    except BaseException as error:
        failure = failure_of(error)
    if failure is not None:
        code = failure.exit_code
        note(f"specbp: {failure.line}")
    sys.exit(_after_printing(output, code))


def _heed_termination() -> None:
    """Let signals to end do what Ctrl-C does; one that is ignored, as under nohup, stays so."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for one in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
        if signal.getsignal(one) is signal.SIG_DFL:
            signal.signal(one, stop)


def _after_printing(output: StandardOutput, code: int) -> int:
    """Return the exit code of a command that ended with `code`, by what became of its output."""
    if sys.stdout is not None:
        sys.stdout.flush()
    if output.failure is None:
        return code
    note(
        f"specbp: standard output cannot be written: {output.failure.strerror}: give it a place "
        "with room, and run the same command again"
    )
    return code or SpecbpError.exit_code
