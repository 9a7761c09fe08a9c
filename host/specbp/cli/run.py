"""`specbp run`: one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from specbp.api.anew import anew_from
from specbp.cli.arguments import CheckpointSeconds, DataRoot, Fresh, JsonOutput, SaveWeights
from specbp.cli.options import with_experiment_options


@with_experiment_options
def run(
    given: dict[str, Any],
    results: Annotated[Path, typer.Option(help="folder that keeps the frames")] = Path(
        "results/run"
    ),
    data_root: DataRoot = None,
    fresh: Fresh = False,
    checkpoint_seconds: CheckpointSeconds = None,
    save_weights: SaveWeights = False,
    json_output: JsonOutput = False,
) -> None:
    """Train once and print what it took.

    The frames are kept for `specbp report` and `specbp compare`;
    the same experiment again prints them without training. Example:

    specbp run --dataset digits --schedule speculative --epochs 10
    """
    from specbp.api.results import run_one
    from specbp.cli.output import print_cautions, print_json, print_over_bound, print_table
    from specbp.cli.progress import TerminalScreen

    done = run_one(
        given,
        {},
        results,
        data_root,
        anew_from(fresh),
        checkpoint_seconds,
        TerminalScreen(),
        save_weights,
    )
    if json_output:
        print_json(done.runs)
    else:
        print_table(done.runs)
        print_over_bound(done.runs)
    print_cautions(done.runs)
    done.whole()
