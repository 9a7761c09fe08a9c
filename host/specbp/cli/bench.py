"""`specbp bench`: a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.arguments import Anew, CheckpointSeconds, DataRoot, Fresh, JsonOutput
from specbp.cli.number_options import whole
from specbp.cli.terminal import say
from specbp.errors import NothingMeasuredError
from specbp.matrix.expand import expand, in_starts, read_matrix
from specbp.matrix.filters import picked
from specbp.matrix.sharding import shard


def bench(
    matrix: Annotated[Path, typer.Argument(help="matrix file (TOML)", metavar="MATRIX")],
    results: Annotated[
        Path | None,
        typer.Option(help="folder that keeps the frames", show_default="results/MATRIX"),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="FIELD=VALUE",
            help="run only cells with this, as the matrix says it, such as schedule=pipelined or "
            'arm="sequential, 1 thread"; nothing after = means not set; may be repeated: values '
            "of one field are alternatives",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            help="run only the K-th of N parts, whole comparisons each, on this machine; specbp "
            "merge puts the results of all together",
            show_default="everything",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="print the cells, which of them are done and how long the others will take",
        ),
    ] = False,
    data_root: DataRoot = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="run failed cells again")
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="train comparisons again, whole, of which cells are missing, were not trained in "
            "turns, or were measured by another commit",
        ),
    ] = False,
    fresh: Fresh = False,
    starts: Annotated[
        int | None,
        whole(
            "train every comparison so many times, each time in a new process: the start is the "
            "unit of an interval, and starts differ more than what is within one",
            least=1,
            show_default="once, all in this process",
        ),
    ] = None,
    checkpoint_seconds: CheckpointSeconds = None,
    json_output: JsonOutput = False,
) -> None:
    """Run the cells of a matrix that its results folder does not have yet.

    The arms of a comparison are trained in turns, block by block.
    Stop it at any time: the same command goes on where it was. Example:

    specbp bench bench/matrices/demo.toml
    specbp bench bench/matrices/cifar100-time.toml --starts 5
    specbp report results/demo
    """
    read = read_matrix(matrix)
    every_cell = expand(read, matrix.name)
    cells = picked(every_cell, filters or [], matrix.name)
    if starts:
        every_cell, cells = in_starts(every_cell, starts), in_starts(cells, starts)
    if part:
        cells = shard(cells, part, matrix.name)
    if not cells:
        raise NothingMeasuredError(
            f"{matrix.name}: [[exclude]] leaves no cell: nothing was measured"
        )
    folder = results or Path("results") / read.name
    anew = Anew.EVERYTHING if fresh else Anew.INCOMPARABLE if again else Anew.NOTHING
    if dry_run:
        from specbp.cli.dry_run import show_plan

        show_plan(cells, folder, retry_failed, anew, json_output)
        return
    from specbp.cli.output import fail_if_any_failed, print_cautions, print_json, rows_of
    from specbp.cli.training import train
    from specbp.matrix.store import load

    train(
        cells, folder, data_root, retry_failed, anew, checkpoint_seconds, every_cell, bool(starts)
    )
    runs = rows_of(load(folder), cells)
    if json_output:
        print_json(runs)
    else:
        say(f"{len(runs)} cells in {folder}; for the comparison: specbp report {folder}")
    print_cautions(runs)
    fail_if_any_failed(runs)
