"""`specbp bench`: a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.api.anew import anew_from
from specbp.api.choosing import cells_of
from specbp.cli.arguments import CheckpointSeconds, DataRoot, Fresh, JsonOutput, SaveWeights
from specbp.cli.number_options import whole
from specbp.cli.terminal import say
from specbp.errors import UsageError
from specbp.matrix.cluster_choice import ClusterChoice

CLUSTER = "Several machines"
"""The heading in the help under which options of clusters stand."""


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
    workers: Annotated[
        int | None,
        whole(
            "train on so many worker processes of this machine, which Dask runs; comparisons whose "
            "times count still take turns on a machine: timing = false in the matrix lets them "
            "run side by side",
            least=1,
            show_default="in this process",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="train on the workers of a Dask cluster that runs, such as tcp://HOST:8786",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="train on the cluster that a TOML file describes: kind (SLURMCluster or another "
            "one of dask-jobqueue, or SSHCluster), jobs, and a table of options",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    checkpoint_seconds: CheckpointSeconds = None,
    save_weights: SaveWeights = False,
    json_output: JsonOutput = False,
) -> None:
    """Run the cells of a matrix that its results folder does not have yet.

    The arms of a comparison are trained in turns, block by block.
    Stop it at any time: the same command goes on where it was. Example:

    specbp bench bench/matrices/demo.toml
    specbp bench bench/matrices/cifar100-time.toml --starts 5
    specbp bench bench/matrices/learning-rate.toml --workers 4
    specbp report results/demo
    """
    choice = _choice(workers, scheduler, cluster)
    chosen = cells_of(matrix, filters or [], starts, part)
    folder, anew = chosen.folder(results), anew_from(fresh, again)
    if dry_run:
        from specbp.cli.dry_run import show_plan

        show_plan(chosen.cells, folder, retry_failed, anew, json_output)
        return
    from specbp.api.results import run_matrix
    from specbp.cli.output import print_cautions, print_json
    from specbp.cli.progress import TerminalScreen

    screen = TerminalScreen()
    done = run_matrix(
        chosen, folder, data_root, retry_failed, anew, checkpoint_seconds, screen, save_weights,
        choice,
    )  # fmt: skip
    if json_output:
        print_json(done.runs)
    else:
        say(f"{len(done.runs)} cells in {folder}; for the comparison: specbp report {folder}")
    print_cautions(done.runs)
    done.whole()


def _choice(workers: int | None, scheduler: str | None, file: Path | None) -> ClusterChoice | None:
    """Return the cluster that the options ask for, None for this process.

    Raises:
        UsageError: they ask for two.
    """
    options = {"--workers": workers, "--scheduler": scheduler, "--cluster": file}
    named = [name for name, value in options.items() if value is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} ask for two clusters: leave one of them out")
    return ClusterChoice(workers, scheduler, file) if named else None
