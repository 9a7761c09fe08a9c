"""`specbp overlay`: what the overlay makes of a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from specbp.cli.arguments import DataRoot
from specbp.cli.on_overlay import overlay_experiment
from specbp.cli.options import with_experiment_options
from specbp.overlay.hwh import CLOCK_MHZ

if TYPE_CHECKING:
    from specbp.overlay.usage import Usage

overlay = typer.Typer(
    help="The overlay: what it makes of a network, and its bitstreams.", no_args_is_help=True
)


@overlay.command()
def build(
    board: Annotated[
        str, typer.Option(help="pynq-z1, pynq-z2, or simulated (needs no Vivado)")
    ] = "pynq-z2",
    lanes: Annotated[int, typer.Option(help="multiply-accumulate lanes: 16, 32 or 64")] = 32,
    clock: Annotated[float, typer.Option(help="of the overlay, MHz")] = CLOCK_MHZ,
    output: Annotated[
        Path | None,
        typer.Option(help="folder to make", show_default="build/overlay/BOARD-LANES-lanes"),
    ] = None,
) -> None:
    """Build a bitstream with its hwh, self-test and manifest.

    Real boards need Vivado 2022.1 to 2024.1, for about half an hour. Example:

    specbp overlay build --board simulated --lanes 16
    """
    from specbp.bitstream.making import make_simulated
    from specbp.bitstream.targets import target_named
    from specbp.bitstream.vivado import build_with_vivado
    from specbp.overlay.parameters import Parameters

    target, parameters = target_named(board), Parameters(lanes=lanes)
    folder = output or Path("build/overlay") / f"{target.name}-{lanes}-lanes"
    if target.simulated:
        done = make_simulated(folder, parameters, clock)
    else:
        done = build_with_vivado(folder, target, parameters, clock)
    print(
        f"{done.bitstream}: {target.name}, {lanes} lanes, {clock:g} MHz, build "
        f"{done.manifest['build_identifier']}; next: specbp board deploy HOST --build {folder}"
    )


@overlay.command()
@with_experiment_options
def info(
    given: dict[str, Any],
    listing: Annotated[
        bool, typer.Option("--listing", help="print the program, a line for each descriptor")
    ] = False,
    data_root: DataRoot = None,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compile a training step and print what each pass takes.

    Cycles are predicted; useful is the share of the lanes' multiplications that the layer asks
    for. Example:

    specbp overlay info --model lenet5 --dataset fashion-mnist --lanes 32
    """
    experiment = overlay_experiment(given, "specbp overlay info", because="the overlay has its own")

    from specbp.backends.recipe import Recipe
    from specbp.cli.training import dataset_reader
    from specbp.overlay.compiler import compile_step
    from specbp.overlay.listing import lines
    from specbp.overlay.parameters import Parameters
    from specbp.overlay.usage import usage

    dataset = dataset_reader(data_root)(experiment)
    recipe = Recipe(experiment, dataset)
    assert experiment.lanes is not None
    parameters = Parameters(lanes=experiment.lanes)
    compiled = compile_step(recipe.network, recipe.scales(), experiment.batch_size, parameters)
    if listing:
        for line in lines(compiled):
            print(line)
        return
    found = usage(compiled)
    if json_output:
        sys.stdout.write(json.dumps(found.as_dict(), indent=2) + "\n")
        return

    console = Console()
    console.print(_table(found))
    console.print(
        f"\n{experiment.model}, batch {experiment.batch_size}, {experiment.lanes} lanes: "
        f"{found.cycles:,} cycles a step, {found.milliseconds:.2f} ms at {found.clock_mhz:g} MHz; "
        f"{found.descriptors:,} descriptors, {found.memory_bytes:,} bytes of tensors",
        soft_wrap=True,
        highlight=False,
    )


def _table(found: Usage) -> Table:
    """Return a line for each pass."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("layer")
    shown.add_column("pass")
    for heading in ("cycles", "of step", "multiplying", "useful"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for one in found.passes:
        shown.add_row(
            one.layer,
            one.work,
            f"{one.cycles:,}",
            f"{one.cycles / found.cycles:.1%}",
            f"{one.multiplying:.0%}" if one.multiplying else "",
            f"{one.useful:.0%}" if one.useful is not None else "",
        )
    return shown
