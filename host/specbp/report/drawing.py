"""matplotlib, whatever its user has set: a figure of a report is the same everywhere.

Imported before any module that imports matplotlib itself.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from specbp.report.palette import RC

_BACKEND = "MPLBACKEND"


def _import_matplotlib() -> Any:
    """Import matplotlib although its environment may name a backend that there is none of."""
    backend = os.environ.pop(_BACKEND, None)
    try:
        module = importlib.import_module("matplotlib")
    finally:
        if backend is not None:
            os.environ[_BACKEND] = backend
    if backend:
        with suppress(ValueError):
            module.rcParams["backend"] = backend
    return module


matplotlib = _import_matplotlib()


@contextmanager
def drawing_style(**settings: Any) -> Iterator[None]:
    """Draw and save with matplotlib's defaults and those of a report; no matplotlibrc counts.

    Args:
        settings: further ones, with underscores in place of dots.
    """
    more = {name.replace("_", "."): value for name, value in settings.items()}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**RC, **more})
        yield
