"""`.link` files: where a board's pynq downloads the files of a build from.

Beside a notebook, `specbp.bit.link` and its siblings become `specbp.bit` for the board on which
`pynq get-notebooks` delivers the notebook: `pynqutils` takes the entry of that board.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from specbp.errors import UsageError
from specbp.onboard.build import Build
from specbp.overlay.hwh import DESIGN

NAMES = {"bitstream": f"{DESIGN}.bit", "handoff": f"{DESIGN}.hwh", "selftest": "selftest.bin"}
"""What the files of a build are called beside a notebook: on each board the same."""


def write_links(builds: Sequence[Build], url: str, folder: Path) -> list[Path]:
    """Write `.link` files for `builds`, one of each board, into `folder`; return them.

    Args:
        builds: each checked here.
        url: where the folders of the builds are published, by their names.
        folder: made where it is missing.

    Raises:
        UsageError: two builds are for the same board, or a file of one is damaged.
    """
    boards = [build.board.name for build in builds]
    if len(set(boards)) < len(boards):
        raise UsageError("two builds for the same board: a link has one for each")
    links: dict[str, dict[str, dict[str, str]]] = {}
    for build in builds:
        contents = build.check()
        for kind, name in NAMES.items():
            file = str(build.manifest[kind])
            links.setdefault(name, {})[build.board.image] = _entry(
                f"{url.rstrip('/')}/{build.folder.resolve().name}/{file}", contents[file]
            )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, entries in links.items():
        path = folder / f"{name}.link"
        path.write_text(json.dumps(entries, indent=2) + "\n")
        written.append(path)
    return written


def _entry(url: str, content: bytes) -> dict[str, str]:
    # The format of pynq's links: a check against damage, and none against malice.
    return {"url": url, "md5sum": hashlib.md5(content, usedforsecurity=False).hexdigest()}
