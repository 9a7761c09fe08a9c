"""`specbp overlay resources`: what the overlay takes of an FPGA."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from specbp.cli.number_options import whole
from specbp.cli.terminal import note, say, say_json, show

if TYPE_CHECKING:
    from specbp.overlay.parameters import Parameters
    from specbp.overlay.resources import Resources


def resources(
    lanes: Annotated[
        list[int] | None,
        whole("16, 32 or 64; may be repeated", least=1, show_default="16, 32 and 64"),
    ] = None,
    cores: Annotated[int, whole("1 or 2", least=1)] = 1,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Estimate LUTs, flip-flops, block RAM and DSPs on an XC7Z020 with Yosys.

    This takes minutes for each number of lanes. Without place and route
    there is no clock: 100 MHz is an assumption. Example:

    specbp overlay resources --lanes 16 --lanes 32
    """
    from specbp.overlay.parameters import Parameters
    from specbp.overlay.resources import XC7Z020, estimate

    wanted = [Parameters(lanes=number, cores=cores) for number in lanes or (16, 32, 64)]
    found = []
    for parameters in wanted:
        note(f"{parameters.lanes} lanes: estimating, for minutes")
        found.append((parameters, estimate(parameters)))
    if json_output:
        rows = [
            {"lanes": one.lanes, "cores": one.cores, **asdict(cells)}
            | {"share": cells.share_of(XC7Z020)}
            for one, cells in found
        ]
        say_json(rows)
        return
    show(_table(found))
    say("Yosys estimates; shares of an XC7Z020; LUTs as memory are among the LUTs")


def _table(found: list[tuple[Parameters, Resources]]) -> Table:
    from specbp.overlay.resources import XC7Z020

    shown = Table(box=None, pad_edge=False)
    headings = ("lanes", "cores", "LUT", "as memory", "per added lane", "FF", "RAMB36", "DSP48E1")
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    before: tuple[Parameters, Resources] | None = None
    for parameters, cells in found:
        added = ""
        if before is not None and before[0].lanes < parameters.lanes:
            lanes = (parameters.lanes - before[0].lanes) * parameters.cores
            added = f"{(cells.luts - before[1].luts) / lanes:.0f}"
        share = cells.share_of(XC7Z020)
        shown.add_row(
            str(parameters.lanes),
            str(parameters.cores),
            f"{cells.luts:,} ({share['luts']:.0%})",
            f"{cells.memory_luts:,}",
            added,
            f"{cells.flip_flops:,} ({share['flip_flops']:.0%})",
            f"{cells.block_rams:g} ({share['block_rams']:.0%})",
            f"{cells.dsps} ({share['dsps']:.0%})",
        )
        before = parameters, cells
    return shown
