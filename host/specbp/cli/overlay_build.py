"""`specbp overlay build`: a bitstream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.boards.board import board_names
from specbp.cli.number_options import real, whole
from specbp.cli.terminal import say, working
from specbp.overlay.hwh import CLOCK_MHZ


def build(
    board: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(board_names())}; simulated, or simulated-BOARD, needs no Vivado"
        ),
    ] = "pynq-z2",
    lanes: Annotated[int, whole("multiply-accumulate lanes: 16, 32 or 64", least=1)] = 32,
    cores: Annotated[int, whole("1, or 2 for speculation", least=1)] = 1,
    clock: Annotated[float, real("of the overlay, MHz", above=0)] = CLOCK_MHZ,
    output: Annotated[
        Path | None,
        typer.Option(help="folder to make", show_default="build/overlay/BOARD-CORESxLANES"),
    ] = None,
) -> None:
    """Build a bitstream with its hwh, self-test and manifest.

    Real boards need Vivado 2022.1 to 2024.1, for about half an hour. Example:

    specbp overlay build --board simulated --lanes 16
    """
    from specbp.bitstream.making import make_simulated
    from specbp.bitstream.targets import target_named
    from specbp.bitstream.vivado import build_with_vivado
    from specbp.onboard.build import usual_folder
    from specbp.overlay.parameters import Parameters

    target, parameters = target_named(board), Parameters(lanes=lanes, cores=cores)
    folder = output or usual_folder(target.name, parameters)
    if target.simulated:
        with working(f"making {folder}, with a self-test that is computed now"):
            done = make_simulated(folder, parameters, clock, target)
    else:
        with working(f"Vivado builds {folder}, for about half an hour") as next_is:
            done = build_with_vivado(folder, target, parameters, clock, next_is)
    say(
        f"{done.bitstream}: {target.name}, {parameters.size}, {clock:g} MHz, build "
        f"{done.manifest['build_identifier']}; next: specbp board deploy HOST --build {folder}"
    )
