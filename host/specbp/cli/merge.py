"""`specbp merge`: results folders put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.terminal import say
from specbp.counting import count
from specbp.errors import UsageError


def merge(
    sources: Annotated[
        list[Path], typer.Argument(help="results folders to copy from", metavar="RESULTS...")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="results folder to copy to, made if need be")
    ],
) -> None:
    """Copy the finished cells of several results folders into one, each once.

    Folders that trained the same cell to different results are refused.
    Times are compared only within a session on one machine; accuracies over all.
    After a matrix that two machines shared:

    specbp bench bench/matrices/demo.toml --shard 1/2
    specbp merge results/demo elsewhere/demo --output results/whole
    specbp report results/whole
    """
    from specbp.matrix import merging
    from specbp.matrix.store import Store

    if output.resolve() in {source.resolve() for source in sources}:
        raise UsageError(f"{output} is one of the folders to copy from: leave it out there")
    opened = [Store.open(source) for source in sources]
    target = Store.create(output)
    with target.locked():
        done = merging.merge(opened, target)
    say(
        f"{output}: {count(done.copied, 'cell')} copied, {done.already_there} there before, "
        f"{done.repeated} in several folders alike"
    )
