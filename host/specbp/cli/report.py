"""`specbp report`: frames to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.number_options import real
from specbp.cli.terminal import console, say


def report(
    results: Annotated[Path, typer.Argument(help="results folder", metavar="RESULTS")],
    output: Annotated[
        Path | None, typer.Option(help="folder for the report", show_default="RESULTS/report")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="title of the page", show_default="name of the folder")
    ] = None,
    accuracy_margin: Annotated[
        float,
        real("loss of accuracy, points, that non-inferiority is tested at", least=0),
    ] = 0.5,
    with_frames: Annotated[
        bool, typer.Option(help="write runs, epochs and timed rounds beside it as CSV")
    ] = False,
) -> None:
    """Print the comparison and write it as one HTML page and as Markdown.

    Times are held against both baselines, sequential training on one thread
    and on as many threads as the arm used, with 95% intervals;
    accuracies against sequential training. Example:

    specbp report results/demo
    """
    from specbp.matrix.store import load
    from specbp.report.compare import summarise
    from specbp.report.published import write_frames
    from specbp.report.terminal import print_summary
    from specbp.report.writing import write_report

    frames = load(results)
    folder = output or results / "report"
    paths = write_report(frames, folder, title or results.resolve().name, accuracy_margin)
    written = [paths.html, paths.markdown]
    if with_frames:
        written += write_frames(frames, folder)
    print_summary(summarise(frames, accuracy_margin), console())
    say()
    for number, path in enumerate(written):
        say(f"{'report: ' if not number else '        '}{path}")
