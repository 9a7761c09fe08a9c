"""`specbp timeline`: what each engine does in a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from specbp.cli.arguments import DataRoot, require_writable
from specbp.cli.number_options import whole
from specbp.cli.options import with_experiment_options
from specbp.cli.terminal import say
from specbp.errors import UsageError
from specbp.experiment import experiment_from


@with_experiment_options
def timeline(
    given: dict[str, Any],
    output: Annotated[Path, typer.Option(help="trace to write, JSON")] = Path("timeline.json"),
    first: Annotated[int, whole("steps to train before", least=1)] = 50,
    steps: Annotated[int, whole("steps to show", least=1)] = 5,
    data_root: DataRoot = None,
) -> None:
    """Write what each engine does in a few steps.

    The trace opens in https://ui.perfetto.dev. Example:

    specbp timeline --dataset digits --schedule pipelined
    """
    from specbp.backends.opening import open_traced
    from specbp.matrix.run import dataset_reader
    from specbp.timeline import chrome_trace

    require_writable(output)
    experiment = experiment_from(given, "timeline")
    training = open_traced(experiment, dataset_reader(data_root)(experiment))
    if (total := training.steps_per_epoch * experiment.epochs) < first + steps:
        raise UsageError(f"the training has {total} steps: fewer than --first {first} + {steps}")
    training.advance(first)
    shown = []
    for _ in range(steps):
        training.advance(1)
        shown.append(training.spans)
    training.close()
    try:
        output.write_text(json.dumps(chrome_trace(shown)))
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    say(f"{output}: steps {first} to {first + steps - 1}; open it in https://ui.perfetto.dev")
