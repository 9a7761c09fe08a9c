"""The table of all backends: an experiment can train wherever it has a record here.

Adding a backend takes a folder with its record and the code that this names, and a line here.
"""

from __future__ import annotations

from functools import cache

from specbp.backends.cpu.record import CPU
from specbp.backends.cuda.record import CUDA
from specbp.backends.overlay.records import FLEET, MODEL, OVER_SSH, PYNQ_REMOTE, RTL
from specbp.backends.record import Backend
from specbp.errors import UsageError, nearest

BACKENDS = (CPU, CUDA, MODEL, RTL, OVER_SSH, PYNQ_REMOTE, FLEET)

_FORMER = {"native": 'backend "native" has become "cpu", which is native where it can be'}


def find_backend(text: str) -> Backend | None:
    """Return the backend that the field `text` of an experiment means, None if there is none."""
    return next((backend for backend in BACKENDS if backend.matches(text)), None)


@cache
def backend_named(text: str) -> Backend:
    """Return the backend that the field `text` of an experiment means.

    Raises:
        UsageError: there is no such backend, or it has no such place.
    """
    found = find_backend(text)
    if found is None:
        if text in _FORMER:
            raise UsageError(_FORMER[text])
        names = [backend.usual or backend.name for backend in BACKENDS]
        raise UsageError(
            f'unknown backend "{text}"{nearest(text, names)}: '
            f"choose one of {', '.join(backend.form for backend in BACKENDS)}"
        )
    found.require_place(text)
    return found
