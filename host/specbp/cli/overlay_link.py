"""`specbp overlay link`: where boards download a build from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from specbp.cli.terminal import say


def link(
    builds: Annotated[list[Path], typer.Argument(help="folders of builds, one of each board")],
    url: Annotated[str, typer.Option(help="where these folders are published")],
    output: Annotated[Path, typer.Option(help="folder of a notebook")] = Path(),
) -> None:
    """Write .link files, by which pynq get-notebooks downloads the build of its own board.

    Example:
    specbp overlay link build/overlay/simulated-2x16 --url https://example.org/builds
    """
    from specbp.bitstream.links import write_links
    from specbp.onboard.build import open_build

    for path in write_links([open_build(folder) for folder in builds], url, output):
        say(str(path))
