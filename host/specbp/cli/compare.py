"""`specbp compare`: one arm against another, with an exit code for gates."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from specbp.errors import GateFellError


def compare(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    arm: Annotated[str, typer.Option(help="the arm, as the report names it")],
    baseline: Annotated[str, typer.Option(help="what it is held against")] = (
        "sequential, 1 thread"
    ),
    max_ratio: Annotated[
        float | None,
        typer.Option(help="fail with exit code 3 unless the whole 95% interval is below this"),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print the ratio of two arms' training times with its 95% interval.

    Example of a gate:

    specbp compare results/demo --arm pipelined --max-ratio 0.9
    """
    from specbp.matrix.store import load
    from specbp.report import compare_each

    found = compare_each(load(results), arm, baseline)
    if json_output:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    fell = []
    for one in found:
        ratio = one.time
        interval = (
            "no interval, too few rounds"
            if ratio.low is None or ratio.high is None
            else f"95% interval {ratio.low:.3f} to {ratio.high:.3f}"
        )
        words = f"{ratio.ratio:.3f} ({interval})"
        if not json_output:
            print(f"{one.comparison}: {one.arm} takes {words} of the time of {one.baseline}")
        if max_ratio is not None and (ratio.high is None or ratio.high >= max_ratio):
            fell.append(f"{one.comparison}: {words} is not below {max_ratio:g}")
    if fell:
        raise GateFellError("; ".join(fell))
