"""`specbp report`: frames to a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.number_options import real
from specbp.cli.terminal import console, say


def report(
    results: Annotated[
        Path,
        typer.Argument(
            help="results folder, or one with a published report and its frames", metavar="RESULTS"
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="folder for the report", show_default="RESULTS/report"),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="title of the page", show_default="name of the folder")
    ] = None,
    accuracy_margin: Annotated[
        float,
        real("loss of accuracy, points, that non-inferiority is tested at", least=0),
    ] = 0.5,
    with_frames: Annotated[
        bool,
        typer.Option(
            help="write runs, epochs and timed rounds beside it as Parquet: the report can be "
            "made again from them"
        ),
    ] = False,
    index: Annotated[
        bool,
        typer.Option(help="write index.html over all published reports below RESULTS instead"),
    ] = False,
) -> None:
    """Print the comparison and write it as one HTML page and as Markdown.

    Times are held against both baselines, sequential training on one thread
    and on as many threads as the arm used, with 95% intervals;
    accuracies against sequential training. Example:

    specbp report results/demo
    """
    from specbp.api.reporting import write
    from specbp.report.index import write_index
    from specbp.report.terminal import print_summary

    if index:
        say(f"index: {write_index(results, title or 'Published comparisons')}")
        return
    done = write(results, output, title, accuracy_margin, with_frames)
    print_summary(done.summary, console())
    say()
    for number, path in enumerate((done.paths.html, done.paths.markdown, *done.frames_paths)):
        say(f"{'report: ' if not number else '        '}{path}")
