"""What is deployed: the four files of a build and the runner, named by their content.

The runner is always this package's own: a build that someone else made is data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from specbp.deploy import archive
from specbp.onboard.build import Build, open_build

NAME_DIGITS = 16


@dataclass(frozen=True)
class Version:
    """Files to have on a board.

    Attributes:
        build: the build that they are of.
        files: content by name, in the order in which they are sent.
    """

    build: Build
    files: dict[str, bytes]

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file, by name."""
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}

    @cached_property
    def name(self) -> str:
        """The beginning of a hash of all files."""
        listed = "\n".join(f"{digest}  {name}" for name, digest in sorted(self.hashes.items()))
        return hashlib.sha256(listed.encode()).hexdigest()[:NAME_DIGITS]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))


def version_of(folder: Path) -> Version:
    """Return the version that the build in `folder` makes with this package's runner.

    Raises:
        UsageError: there is no build, or its files do not belong together.
    """
    build = open_build(folder)
    contents = build.check()
    return Version(build, {**contents, archive.NAME: archive.archive()})
