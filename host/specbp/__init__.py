"""Hardware/software co-simulation benchmarks for speculative backpropagation.

`load` gives the frames of a results folder as pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specbp.errors import SpecbpError

if TYPE_CHECKING:
    from specbp.matrix.store import load

__all__ = ["SpecbpError", "load"]


def __getattr__(name: str) -> object:
    # Loading pandas takes a second, which a command line that only parses should not pay.
    if name == "load":
        from specbp.matrix.store import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
