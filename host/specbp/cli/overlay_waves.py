"""`specbp overlay waves`: a waveform of a training step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from specbp.cli.arguments import DataRoot, require_writable
from specbp.cli.number_options import whole
from specbp.cli.on_overlay import open_checked, overlay_experiment
from specbp.cli.options import with_experiment_options
from specbp.cli.terminal import note, say


@with_experiment_options
def waves(
    given: dict[str, Any],
    output: Annotated[Path, typer.Option(help="FST file to write")] = Path("specbp.fst"),
    first: Annotated[int, whole("first clock cycle, from the start of the step's program")] = 0,
    cycles: Annotated[int, whole("how many", least=1)] = 2000,
    data_root: DataRoot = None,
) -> None:
    """Write what every signal of the simulated overlay does in a training step.

    The window is given in clock cycles; `specbp overlay info` tells how many a
    pass takes. GTKWave and Surfer read the file. Example:

    specbp overlay waves --model lenet5 --dataset fashion-mnist --first 100000 --cycles 500
    """
    experiment = overlay_experiment(given, "overlay waves", because="it is the simulated one")

    from specbp.backends.recipe import Recipe
    from specbp.boards.installed import require_simulation
    from specbp.errors import UsageError
    from specbp.matrix.run import dataset_reader

    require_simulation()
    recipe = Recipe(experiment, dataset_reader(data_root)(experiment))
    require_writable(output)
    side, model = open_checked(recipe)
    started = model.cycles
    model.trace(output, started + first, started + first + cycles - 1)
    note("simulating a step")
    for _ in side.step(0):
        pass
    ran = model.cycles - started
    side.close()
    if first >= ran:
        raise UsageError(f"--first {first:,}: the step ended after {ran:,} cycles")
    say(f"{output}: cycles {first:,} to {min(first + cycles, ran) - 1:,} of {ran:,}")
