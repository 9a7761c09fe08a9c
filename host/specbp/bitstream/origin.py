"""Remembers which builds were made on this machine; all others are someone else's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from specbp.compiling import cache_folder
from specbp.onboard.build import Build


def remember(build: Build) -> None:
    """Write down that `build` was made here; where there is no cache, nothing is remembered."""
    path = _note(build)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        # Whoever deploys the build is told that it may be someone else's, which is the safe side.
        return


def made_here(build: Build) -> bool:
    """Return whether `build` was made on this machine, by what its manifest hashes."""
    return _note(build).is_file()


def _note(build: Build) -> Path:
    return cache_folder() / "builds" / hashlib.sha256(build.manifest_content).hexdigest()
