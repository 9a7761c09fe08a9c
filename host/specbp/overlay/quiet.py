"""Importing pynq off a board, without its remarks on that."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_REMARKS = (
    r".*[Uu]nsupported (platform|architecture).*",
    r".*not supported on this.*",
    r".*pkg_resources.*",
    r".*No devices found.*",
    r".*Pynq does not support.*",
)


@contextmanager
def pynq_imports() -> Iterator[None]:
    """Silence what pynq says when it is imported off a board, and nothing else."""
    with warnings.catch_warnings():
        for remark in _REMARKS:
            warnings.filterwarnings("ignore", message=remark)
        yield
