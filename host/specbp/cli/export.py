"""`specbp export`: trained weights for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.terminal import say


def export(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    to: Annotated[
        str,
        typer.Option(
            help="state-dict, for load_state_dict() of the model in PyTorch, or onnx",
            metavar="state-dict|onnx",
        ),
    ] = "state-dict",
    output: Annotated[
        Path | None,
        typer.Option(help="file to write", show_default="RESULTS/CELL.pt or RESULTS/CELL.onnx"),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="how the hash of the cell begins, or the name of its arm",
            show_default="the only one with weights",
        ),
    ] = None,
) -> None:
    """Write the weights that a training with --save-weights left.

    They are float32; int16 weights have the values that the overlay computes with. Images are
    normalised by the mean and spread of the training images. Example:

    specbp run --dataset digits --epochs 1 --save-weights --results results/saved
    specbp export results/saved --to state-dict
    """
    from specbp.api.exporting import export as write

    say(str(write(results, to, output, cell)))
