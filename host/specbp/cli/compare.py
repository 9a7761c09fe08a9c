"""`specbp compare`: one arm against another, with an exit code for gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specbp.cli.number_options import real
from specbp.cli.terminal import note, say, say_json
from specbp.counting import count
from specbp.errors import GateFellError, NothingMeasuredError

if TYPE_CHECKING:
    from specbp.frames import Frames
    from specbp.report.statistics import MeanInterval, RatioInterval
    from specbp.report.summary import ArmComparison


def compare(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    arm: Annotated[str, typer.Option(help="the arm, as the report names it")],
    baseline: Annotated[str, typer.Option(help="what it is held against")] = (
        "sequential, 1 thread"
    ),
    comparison: Annotated[
        str | None,
        typer.Option(
            help="judge only the comparison that the report gives this title",
            show_default="all that have both arms",
        ),
    ] = None,
    max_ratio: Annotated[
        float | None,
        real(
            "fail with exit code 3 unless the whole 95% interval of total time is below this",
            above=0,
        ),
    ] = None,
    accuracy_margin: Annotated[
        float | None,
        real(
            "fail with exit code 3 unless the test accuracy, paired by seed, is shown to "
            "lose less than this many points (one-sided 95%)",
            least=0,
        ),
    ] = None,
    any_commit: Annotated[
        bool,
        typer.Option(
            "--any-commit", help="judge results also if another commit of specbp measured them"
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print the ratio of two arms' training times with its 95% interval.

    Where the timing allows no verdict, it says why and ends with exit code 4.
    Gates on time, and on accuracy by a test of non-inferiority:

    specbp compare results/demo --arm pipelined --max-ratio 0.9 --accuracy-margin 0.5
    """
    from specbp.cli.output import print_cautions
    from specbp.matrix.store import load
    from specbp.report.compare import compare_each

    gated = max_ratio is not None or accuracy_margin is not None
    frames = load(results)
    found = compare_each(frames, arm, baseline, comparison)
    _name_origins(results, frames, found, refuse=gated and not any_commit)
    print_cautions(frames.runs, [arm, baseline])
    if json_output:
        say_json([asdict(one) for one in found])
    fell, withheld = [], []
    for one in found:
        if not json_output:
            for words in _sentences(one):
                say(f"{one.comparison}: {words}")
        if max_ratio is not None and (one.time.high is None or one.time.high >= max_ratio):
            fell.append(f"{one.comparison}: {_ratio(one.time)} is not below {max_ratio:g}")
        if accuracy_margin is not None:
            fell += _accuracy_gate(one, accuracy_margin)
        withheld += [f"{one.comparison}: {reason}" for reason in one.withheld]
    if withheld and (max_ratio is not None or not gated):
        raise NothingMeasuredError("no verdict on the time: " + "; ".join(withheld))
    if fell:
        raise GateFellError("; ".join(fell))


def _name_origins(
    results: Path, frames: Frames, found: Sequence[ArmComparison], refuse: bool
) -> None:
    """Say by what other means than those of now the arms were measured.

    Args:
        results: results folder.
        frames: frames of the results folder.
        found: what is compared.
        refuse: results of other sources of specbp are of no use.

    Raises:
        NothingMeasuredError: they are, and are to be refused.
    """
    from specbp.provenance import difference, origin
    from specbp.report.pairing import plain_rows

    cells = {cell for one in found for cell in one.cells}
    rows = plain_rows(frames.runs[frames.runs["cell"].isin(cells)])
    others = {words for words in map(difference, rows) if words is not None}
    if not others:
        return
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    words = f"{results}: measured by {min(others)}{more}"
    now = origin()["source_sha256"]
    if refuse and any(row["source_sha256"] != now for row in rows):
        raise NothingMeasuredError(
            f"{words}: measure again (specbp bench with --again), or judge the results as they "
            "are with --any-commit"
        )
    note(words)


def _sentences(one: ArmComparison) -> list[str]:
    """Return what was found, in words."""
    repeats = len(one.time.by_repeat)
    words = [f"{one.arm} takes {_ratio(one.time)} of the total time of {one.baseline}"]
    if one.whole_loop is not None:
        words.append(f"with the work between steps it takes {_ratio(one.whole_loop)}")
    words.append(f"its typical step takes {_ratio(one.typical)} of that of {one.baseline}")
    if repeats > 1:
        each = ", ".join(f"{ratio:.3f}" for ratio in one.time.by_repeat)
        words.append(f"total time in each of {repeats} repeats: {each}")
    if 1 in (repeats, one.processes):
        words.append(
            "all in one process: how starts of a process differ is not in the interval "
            "(specbp bench --starts 5 measures it)"
        )
    words += [f"no verdict on the time: {reason}" for reason in one.withheld]
    if one.accuracy is not None:
        words.append(f"its test accuracy changes by {_points(one.accuracy)}")
    return words


def _ratio(ratio: RatioInterval) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.3f} (no interval)"
    return f"{ratio.ratio:.3f} (95% interval {ratio.low:.3f} to {ratio.high:.3f})"


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
    seeds = count(change.n, "seed")
    if change.least is None:
        return f"{change.mean:+.2f} points ({seeds}: no interval)"
    return f"{change.mean:+.2f} points (one-sided 95%: at least {change.least:+.2f}, {seeds})"
