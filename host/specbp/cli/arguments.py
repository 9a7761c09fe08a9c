"""Options that several verbs have, and how slow a verb's imports may be.

Loading PyTorch and pandas takes seconds. Verbs therefore import what does the work inside their
functions, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.number_options import real
from specbp.errors import UsageError

DataRoot = Annotated[
    Path | None,
    typer.Option(help="folder of the data sets", envvar="SPECBP_DATA", show_default="data"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="train again what is there already")]
CheckpointSeconds = Annotated[
    float | None,
    real(
        "time between checkpoints of what is in training, s",
        least=0,
        show_default="30, on a board 3",
    ),
]
SaveWeights = Annotated[
    bool,
    typer.Option(
        "--save-weights",
        help="keep the trained weights beside the frames; specbp export gives them to other "
        "programs",
    ),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="print the rows as JSON")]


def require_writable(output: Path) -> None:
    """Refuse a file that could not be written in the end.

    Raises:
        UsageError: the folder is not there, or cannot be written.
    """
    if not output.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.parent}")
    is_new = not output.exists()
    try:
        output.open("ab").close()
        if is_new:
            output.unlink()
    except OSError as error:
        raise UsageError(f"--output {output}: it cannot be written: {error.strerror}") from error
