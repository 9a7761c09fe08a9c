"""`specbp overlay resources`: what the overlay takes of an FPGA."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from specbp.boards.board import USUAL, board_named, board_names
from specbp.cli.number_options import whole
from specbp.cli.terminal import note, say, say_json, show
from specbp.errors import SpecbpError

if TYPE_CHECKING:
    from specbp.bitstream.resources import Resources
    from specbp.overlay.parameters import Parameters


def resources(
    lanes: Annotated[
        list[int] | None,
        whole("16, 32 or 64; may be repeated", least=1, show_default="16, 32 and 64"),
    ] = None,
    cores: Annotated[int, whole("1 or 2", least=1)] = 1,
    board: Annotated[str, typer.Option(help=f"whose FPGA: {', '.join(board_names())}")] = USUAL,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Estimate LUTs, flip-flops, block RAM and DSPs on a board's FPGA with Yosys.

    This takes minutes for each number of lanes. Without place and route
    there is no clock: 100 MHz is an assumption. What takes more than the FPGA has ends with exit
    code 1. Example:

    specbp overlay resources --board aup-zu3 --lanes 64 --cores 2
    """
    from specbp.bitstream.resources import estimate, resources_of
    from specbp.overlay.parameters import Parameters

    target = board_named(board)
    whole_fpga = resources_of(target)

    wanted = [Parameters(lanes=number, cores=cores) for number in lanes or (16, 32, 64)]
    found = []
    for parameters in wanted:
        note(f"{parameters.lanes} lanes: estimating, for minutes")
        found.append((parameters, estimate(parameters, target.family)))
    if json_output:
        rows = [
            {"board": target.name, "lanes": one.lanes, "cores": one.cores, **asdict(cells)}
            | {"share": cells.share_of(whole_fpga)}
            for one, cells in found
        ]
        say_json(rows)
    else:
        show(_table(found, whole_fpga))
        say(
            f"Yosys estimates for {target.family}; shares of the {target.part} of {target.title}; "
            "LUTs as memory are among the LUTs"
        )
    too_large = [
        f"{one.size} take more {', '.join(over)} than it has"
        for one, cells in found
        if (over := [name for name, share in cells.share_of(whole_fpga).items() if share > 1])
    ]
    if too_large:
        raise SpecbpError(f"{target.name}: {'; '.join(too_large)}: fewer lanes, or a larger board")


def _table(found: list[tuple[Parameters, Resources]], whole_fpga: Resources) -> Table:
    shown = Table(box=None, pad_edge=False)
    headings = ("lanes", "cores", "LUT", "as memory", "per added lane", "FF", "RAMB36", "DSP")
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    before: tuple[Parameters, Resources] | None = None
    for parameters, cells in found:
        added = ""
        if before is not None and before[0].lanes < parameters.lanes:
            lanes = (parameters.lanes - before[0].lanes) * parameters.cores
            added = f"{(cells.luts - before[1].luts) / lanes:.0f}"
        share = cells.share_of(whole_fpga)
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
