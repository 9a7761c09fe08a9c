"""Options that several verbs have, and how slow a verb's imports may be.

Loading PyTorch and pandas takes seconds. Verbs therefore import what does the work inside their
functions, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.number_options import real

DataRoot = Annotated[
    Path | None,
    typer.Option(help="folder of the data sets", envvar="SPECBP_DATA", show_default="data"),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="train again what is there already")]
CheckpointSeconds = Annotated[
    float, real("time between checkpoints of what is in training, s", least=0)
]
JsonOutput = Annotated[bool, typer.Option("--json", help="print the rows as JSON")]
