"""`specbp compare`: one arm against another, with an exit code for gates."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specbp.cli.number_options import real
from specbp.cli.terminal import say, say_json
from specbp.errors import GateFellError

if TYPE_CHECKING:
    from specbp.report.statistics import MeanInterval
    from specbp.report.summary import ArmComparison


def compare(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    arm: Annotated[str, typer.Option(help="the arm, as the report names it")],
    baseline: Annotated[str, typer.Option(help="what it is held against")] = (
        "sequential, 1 thread"
    ),
    max_ratio: Annotated[
        float | None,
        real("fail with exit code 3 unless the whole 95% interval is below this", above=0),
    ] = None,
    accuracy_margin: Annotated[
        float | None,
        real(
            "fail with exit code 3 unless the test accuracy, paired by seed, is shown to "
            "lose less than this many points (one-sided 95%)",
            least=0,
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print the ratio of two arms' training times with its 95% interval.

    Gates on time, and on accuracy by a test of non-inferiority:

    specbp compare results/demo --arm pipelined --max-ratio 0.9 --accuracy-margin 0.5
    """
    from specbp.matrix.store import load
    from specbp.report import compare_each

    found = compare_each(load(results), arm, baseline)
    if json_output:
        say_json([asdict(one) for one in found])
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
            say(f"{one.comparison}: {one.arm} takes {words} of the time of {one.baseline}")
        if max_ratio is not None and (ratio.high is None or ratio.high >= max_ratio):
            fell.append(f"{one.comparison}: {words} is not below {max_ratio:g}")
        if not json_output and one.accuracy is not None:
            say(f"{one.comparison}: its test accuracy changes by {_points(one.accuracy)}")
        if accuracy_margin is not None:
            fell += _accuracy_gate(one, accuracy_margin)
    if fell:
        raise GateFellError("; ".join(fell))


def _accuracy_gate(one: ArmComparison, margin: float) -> list[str]:
    """Return why `one` is not shown to be non-inferior at `margin`; nothing if it is."""
    change = one.accuracy
    if change is None:
        why = "the data is synthetic" if one.synthetic else "it was not measured"
        return [f"{one.comparison}: no test accuracy to hold against another: {why}"]
    if change.non_inferior(margin):
        return []
    return [
        f"{one.comparison}: {_points(change)}: a loss of {margin:g} points or more is not ruled out"
    ]


def _points(change: MeanInterval) -> str:
    seeds = f"{change.n} seed{'' if change.n == 1 else 's'}"
    if change.least is None:
        return f"{change.mean:+.2f} points ({seeds}: no interval)"
    return f"{change.mean:+.2f} points (one-sided 95%: at least {change.least:+.2f}, {seeds})"
