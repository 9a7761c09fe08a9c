"""`specbp overlay coverage`: which lines of the RTL a training reaches."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from specbp.cli.arguments import DataRoot, require_writable
from specbp.cli.number_options import real, whole
from specbp.cli.on_overlay import open_checked, overlay_experiment
from specbp.cli.options import with_experiment_options
from specbp.cli.terminal import note, say, show


@with_experiment_options
def coverage(
    given: dict[str, Any],
    steps: Annotated[int, whole("training steps to simulate", least=1)] = 2,
    stalls: Annotated[
        float, real("chance of a stall of the memory in a cycle", least=0, most=0.99)
    ] = 0.2,
    missed: Annotated[bool, typer.Option(help="name the lines that were not reached")] = False,
    output: Annotated[
        Path | None, typer.Option(help="also write Verilator's data, for verilator_coverage")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Simulate training steps and say which lines of the RTL were reached.

    Uses the checked build, which is several times slower. Example:

    specbp overlay coverage --model lenet5 --dataset fashion-mnist --batch-size 4 --missed
    """
    experiment = overlay_experiment(given, "overlay coverage", because="it is the simulated one")

    from rich.table import Table

    from specbp.backends.recipe import Recipe
    from specbp.boards.installed import require_simulation
    from specbp.matrix.run import dataset_reader
    from specbp.simulation.coverage import ranges, read_coverage

    require_simulation()
    recipe = Recipe(experiment, dataset_reader(data_root)(experiment))
    if output:
        require_writable(output)
    side, model = open_checked(recipe)
    model.set_stalls(experiment.seed + 1, stalls)
    for number in range(steps):
        note(f"simulating step {number + 1} of {steps}")
        for _ in side.step(number):
            pass
    with tempfile.TemporaryDirectory() as folder:
        data = output or Path(folder) / "coverage.dat"
        model.write_coverage(data)
        files = read_coverage(data.read_text())
    side.close()

    table = Table("file", box=None)
    for heading in ("lines", "reached", "share"):
        table.add_column(heading, justify="right")
    for one in files:
        table.add_row(one.name, f"{one.lines}", f"{len(one.reached)}", f"{one.share:.0%}")
    lines, reached = sum(one.lines for one in files), sum(len(one.reached) for one in files)
    table.add_section()
    table.add_row("all", f"{lines}", f"{reached}", f"{reached / lines:.1%}")
    show(table)
    if missed:
        for one in files:
            if one.missed:
                say(f"{one.name}: {ranges(one.missed)}")
    if output:
        say(f"data: {output}")
