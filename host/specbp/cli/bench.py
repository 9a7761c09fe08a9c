"""`specbp bench`: a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from specbp.cli.arguments import CheckpointSeconds, DataRoot, Fresh, JsonOutput
from specbp.errors import NothingMeasuredError, UsageError, nearest
from specbp.experiment import WORK_FIELDS, Experiment
from specbp.matrix.expand import Cell, expand, read_matrix


def bench(
    matrix: Annotated[Path, typer.Argument(help="matrix file (TOML)", metavar="MATRIX")],
    results: Annotated[
        Path | None,
        typer.Option(help="folder that keeps the frames", show_default="results/MATRIX"),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="FIELD=VALUE", help="run only cells with this; may be repeated"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the cells and train nothing")
    ] = False,
    data_root: DataRoot = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="run failed cells again")
    ] = False,
    fresh: Fresh = False,
    checkpoint_seconds: CheckpointSeconds = 30.0,
    json_output: JsonOutput = False,
) -> None:
    """Run the cells of a matrix that its results folder does not have yet.

    The arms of a comparison are trained in turns, block by block.
    Stop it at any time: the same command goes on where it was. Example:

    specbp bench bench/matrices/demo.toml
    specbp report results/demo
    """
    read = read_matrix(matrix)
    cells = _filtered(expand(read, matrix.name), filters or [])
    if not cells:
        raise NothingMeasuredError(f"{matrix.name}: no cells left to run: nothing was measured")
    if dry_run:
        Console().print(_cells_table(cells))
        return
    from specbp.cli.output import fail_if_any_failed, print_cautions, print_json, rows_of
    from specbp.cli.training import train
    from specbp.matrix.store import load

    folder = results or Path("results") / read.name
    train(cells, folder, data_root, retry_failed, fresh, checkpoint_seconds)
    runs = rows_of(load(folder), cells)
    if json_output:
        print_json(runs)
    else:
        print(f"{len(runs)} cells in {folder}; for the comparison: specbp report {folder}")
    print_cautions(runs)
    fail_if_any_failed(runs)


def _filtered(cells: Sequence[Cell], filters: Sequence[str]) -> list[Cell]:
    kept = list(cells)
    for one in filters:
        name, equals, value = one.partition("=")
        if not equals or name not in Experiment.model_fields:
            raise UsageError(
                f'--filter {one}: write FIELD=VALUE; there is no field "{name}"'
                f"{nearest(name, Experiment.model_fields)}"
            )
        kept = [cell for cell in kept if str(getattr(cell.experiment, name)) == value]
    return kept


def _cells_table(cells: Sequence[Cell]) -> Table:
    """Return a table of `cells`: their arm, and the fields of the work in which they differ."""
    described = [cell.experiment.model_dump() for cell in cells]
    varied = [name for name in WORK_FIELDS if len({str(fields[name]) for fields in described}) > 1]
    table = Table(box=None, pad_edge=False, title=f"{len(cells)} cells")
    for heading in ("cell", "arm", *varied):
        table.add_column(heading, overflow="fold")
    for cell, fields in zip(cells, described, strict=True):
        values = ["" if fields[name] is None else str(fields[name]) for name in varied]
        table.add_row(cell.hash, cell.experiment.arm, *values)
    return table
