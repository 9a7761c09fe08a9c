"""`specbp run`: one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from specbp.cli.arguments import Anew, CheckpointSeconds, DataRoot, Fresh, JsonOutput
from specbp.cli.options import with_experiment_options
from specbp.experiment import experiment_from
from specbp.matrix.expand import Cell


@with_experiment_options
def run(
    given: dict[str, Any],
    results: Annotated[Path, typer.Option(help="folder that keeps the frames")] = Path(
        "results/run"
    ),
    data_root: DataRoot = None,
    fresh: Fresh = False,
    checkpoint_seconds: CheckpointSeconds = None,
    json_output: JsonOutput = False,
) -> None:
    """Train once and print what it took.

    The frames are kept for `specbp report` and `specbp compare`;
    the same experiment again prints them without training. Example:

    specbp run --dataset digits --schedule speculative --epochs 10
    """
    from specbp.cli.output import (
        fail_if_any_failed,
        print_cautions,
        print_json,
        print_over_bound,
        print_table,
        rows_of,
    )
    from specbp.cli.training import train
    from specbp.matrix.store import load

    cell = Cell("run", 0, experiment_from(given, "run"))
    train(
        [cell],
        results,
        data_root,
        retry_failed=True,
        anew=Anew.EVERYTHING if fresh else Anew.NOTHING,
        checkpoint_seconds=checkpoint_seconds,
    )
    runs = rows_of(load(results), [cell])
    if json_output:
        print_json(runs)
    else:
        print_table(runs)
        print_over_bound(runs)
    print_cautions(runs)
    fail_if_any_failed(runs)
