"""`specbp overlay timing`: how deep the overlay's logic is, and a stand-in for its clock."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.terminal import say, say_json


def timing(
    lanes: Annotated[int, typer.Option(help="16, 32 or 64")] = 16,
    cores: Annotated[int, typer.Option(help="1 or 2")] = 1,
    route: Annotated[
        bool, typer.Option("--route", help="place and route for an ECP5, for half an hour or more")
    ] = False,
    seed: Annotated[int, typer.Option(help="of the placement")] = 1,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Count the levels of logic between registers; on request place and route for an ECP5.

    Neither says what clock an XC7Z020 reaches: only Vivado does. Both say which of two designs is
    faster. Example:

    specbp overlay timing --lanes 16
    """
    from specbp.bitstream.place_and_route import place_and_route
    from specbp.bitstream.resources import synthesise
    from specbp.errors import UsageError
    from specbp.overlay.depth import deepest
    from specbp.overlay.parameters import Parameters

    if seed != 1 and not route:
        raise UsageError("--seed has no effect without --route: add it")
    parameters = Parameters(lanes=lanes, cores=cores)
    if route:
        routed = place_and_route(parameters, seed)
        if json_output:
            say_json(asdict(routed))
            return
        say(
            f"{parameters.size} on an ECP5, as a stand-in: {routed.clock_mhz:.1f} MHz; the longest "
            f"way {routed.logic_ns:.2f} ns in cells and {routed.routing_ns:.2f} ns in wires, from "
            f"{routed.first} to {routed.last}"
        )
        return
    with tempfile.TemporaryDirectory(prefix="specbp-") as folder:
        found = deepest(synthesise(parameters, Path(folder)))
    if json_output:
        say_json(asdict(found))
        return
    most = ", ".join(f"{found.ends[one]} of {one}" for one in sorted(found.ends, reverse=True)[:4])
    say(
        f"{parameters.size}, Yosys for 7-series: at most {found.levels} levels of logic between "
        f"registers, from {found.first} to {found.last}; ends of ways by their levels: {most}"
    )
